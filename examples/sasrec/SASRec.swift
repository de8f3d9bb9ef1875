import ArgumentParser

@main
struct SASRec: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sasrec",
        abstract: "Train SASRec, a transformer that recommends the next item, with CE, SCE or RECE.",
        discussion: """
            Histories are packed end to end, so that nothing is computed for padding. Rankings are always among the \
            whole catalog, without the items the user had already.
            """,
        subcommands: [TrainCommand.self, RecommendCommand.self], defaultSubcommand: TrainCommand.self)
}
