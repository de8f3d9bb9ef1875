import CShortlist
import Shortlist

@c @implementation
public func shortlist_top_k(
    _ ids: UnsafeMutablePointer<Int32>!, _ scores: UnsafeMutablePointer<Float>!, _ context: OpaquePointer!,
    _ query: UnsafePointer<shortlist_query>!, _ k: Int64, _ report: UnsafeMutablePointer<shortlist_report>!
) -> shortlist_status {
    withContext(context) { (object, table) throws(ShortlistError) in
        let input = try QueryInput(query, object.core, table)
        let places = try ResultPlaces(report: report)
        guard k >= 1 else { throw invalid("k is \(k); it must be at least 1") }
        let count = try input.request.queries.rows.multiplied(by: Int(k), for: "top-k results")
        places.write(
            try object.core.context.topK(
                input.request, in: input.catalog, k: Int(k), ids: try array(ids, count, "ids"),
                scores: try optionalArray(scores, count, "scores")))
    }
}

@c @implementation
public func shortlist_target_ranks(
    _ ranks: UnsafeMutablePointer<Int64>!, _ context: OpaquePointer!, _ query: UnsafePointer<shortlist_query>!,
    _ targets: UnsafePointer<shortlist_indices>!, _ report: UnsafeMutablePointer<shortlist_report>!
) -> shortlist_status {
    withContext(context) { (object, table) throws(ShortlistError) in
        let input = try QueryInput(query, object.core, table)
        let places = try ResultPlaces(report: report)
        guard let value = try optionalArray(targets, 1, "targets")?.first else { throw invalid("targets is NULL") }
        places.write(
            try object.core.context.targetRanks(
                input.request, targets: try ShortlistC.targets(value), in: input.catalog,
                ranks: try array(ranks, input.request.queries.rows, "ranks")))
    }
}
