import CShortlist
import Shortlist

@c @implementation
public func shortlist_catalog_create(
    _ catalog: UnsafeMutablePointer<OpaquePointer?>!, _ context: OpaquePointer!,
    _ items: UnsafePointer<shortlist_matrix>!, _ item_bias: UnsafePointer<Float>!
) -> shortlist_status {
    withContext(context) { (object, table) throws(ShortlistError) in
        guard let place = try optionalPlace(catalog, "catalog") else { throw invalid("catalog is NULL") }
        guard let value = try optionalArray(items, 1, "items")?.first else { throw invalid("items is NULL") }
        let view = try matrix(value, "items")
        let made = try object.core.context.catalog(
            view, bias: try optionalArray(item_bias, view.rows, "item_bias"))
        place.pointee = try table.insert(CatalogObject(made, object.core))
    }
}

@c @implementation
public func shortlist_catalog_update(_ catalog: OpaquePointer!) -> shortlist_status {
    withCatalog(catalog) { (catalog) throws(ShortlistError) in try catalog.update() }
}

@c @implementation
public func shortlist_catalog_update_rows(
    _ catalog: OpaquePointer!, _ rows: UnsafePointer<shortlist_indices>!
) -> shortlist_status {
    withCatalog(catalog) { (catalog) throws(ShortlistError) in
        guard let value = try optionalArray(rows, 1, "rows")?.first else { throw invalid("rows is NULL") }
        try catalog.update(rows: try itemIds(value, "rows"))
    }
}

@c @implementation
public func shortlist_catalog_release(_ catalog: OpaquePointer!) -> shortlist_status {
    release(CatalogObject.self, catalog)
}

private func withCatalog(
    _ catalog: OpaquePointer?, _ body: (Catalog) throws(ShortlistError) -> Void
) -> shortlist_status {
    status { () throws(ShortlistError) in
        try Process.enter { (table) throws(ShortlistError) in
            try table.use(CatalogObject.self, catalog) { (object) throws(ShortlistError) in try body(object.catalog) }
        }
    }
}
