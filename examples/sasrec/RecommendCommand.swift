import ArgumentParser
import ExampleCommandLine
import ExampleSupport
import Foundation
import Shortlist

struct RecommendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recommend",
        abstract: "Write the items that a trained model recommends to each user, best first.",
        discussion: """
            Histories come from --data, in any of the formats that training reads; items are known by their names, and \
            those the model was not trained on are left out of the histories. The output is CSV with a header: \
            user,rank,item,score.
            """)

    @Option(help: ArgumentHelp("A checkpoint of sasrec train.", valueName: "file"))
    var checkpoint: String

    @Option(help: ArgumentHelp("The users' histories.", valueName: "file"))
    var data: String

    @Option(help: "What the file holds, where it cannot be told.")
    var format: InteractionFormat = .auto

    @Option(name: .customLong("user"), help: ArgumentHelp("Only this user; may be repeated.", valueName: "name"))
    var users: [String] = []

    @Option(help: "Items for each user.")
    var k = 10

    @Flag(help: "Recommend also what the user has had.")
    var includeSeen = false

    @Option(help: ArgumentHelp("Where to write (default: standard output).", valueName: "file"))
    var output: String?

    @OptionGroup(title: "Where and how")
    var contextSettings: ContextSettings

    func validate() throws {
        guard k > 0 else { throw ValidationError("--k must be at least 1, not \(k)") }
    }

    func run() throws {
        Interrupt.watch()
        let log = ProgressLog()
        let target = output.map(WritableFile.init)
        try target?.check()
        let (model, itemNames) = try CheckpointFile(path: checkpoint).loadModel()
        let data = try Interactions(contentsOf: data, format: format)
        let translated = Translation(data, to: itemNames)
        if translated.unknownItems > 0 {
            log.line("\(grouped(translated.unknownItems)) items of the data are unknown to the model and left out.")
        }
        let asked = try chooseUsers(data)
        let chosen = asked.filter { translated.knowsSome(data.histories[$0]) }
        if chosen.count < asked.count {
            log.line("\(grouped(asked.count - chosen.count)) users have no item that the model knows and are left out.")
        }

        let context = try contextSettings.makeContext()
        let catalog = try context.catalog(model.items)
        let ranker = try Ranker(model, threads: context.hostThreads)
        var text = "user,rank,item,score\n"
        for first in stride(from: 0, to: chosen.count, by: 4096) {
            try Interrupt.check()
            let some = chosen[first..<min(chosen.count, first + 4096)]
            let histories = some.map { translated.history(data.histories[$0]) }
            let top = try context.topK(
                try ranker.queries(histories.map { $0[...] }), in: catalog, k: k,
                excluding: includeSeen ? nil : SeenItems(histories))
            for (query, user) in some.enumerated() {
                for (place, item) in top.ids(of: query).enumerated() where item >= 0 {
                    let score = top.scores[query * top.k + place]
                    text += "\(csv(data.userNames[user])),\(place + 1),\(csv(itemNames[Int(item)])),\(score)\n"
                }
            }
            log.passing { "\(grouped(first + some.count)) of \(grouped(chosen.count)) users" }
        }
        if let target {
            try target.write(text)
            log.line("\(grouped(chosen.count)) users, \(k) items each: \(target.path)")
        } else {
            FileHandle.standardOutput.write(Data(text.utf8))
        }
    }

    private func chooseUsers(_ data: Interactions) throws -> [Int] {
        guard !users.isEmpty else { return Array(data.histories.indices) }
        let places = Dictionary(uniqueKeysWithValues: zip(data.userNames, 0...))
        return try users.map { name in
            guard let place = places[name] else {
                throw ValidationError("--user \(name): \(self.data) has no such user")
            }
            return place
        }
    }

    private func csv(_ field: String) -> String {
        guard field.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return field }
        return "\"\(field.replacingOccurrences(of: "\"", with: "\"\""))\""
    }
}

/// From the item numbers of one data set to those of a model, by name.
private struct Translation {
    /// Number in the model, or −1.
    private let numbers: [Int32]
    var unknownItems: Int { numbers.count { $0 < 0 } }

    init(_ data: Interactions, to itemNames: [String]) {
        let known = Dictionary(zip(itemNames, 0...)) { first, _ in first }
        numbers = data.itemNames.map { known[$0].map(Int32.init) ?? -1 }
    }

    func knowsSome(_ items: [Int32]) -> Bool { items.contains { numbers[Int($0)] >= 0 } }

    func history(_ items: [Int32]) -> [Int32] { items.map { numbers[Int($0)] }.filter { $0 >= 0 } }
}
