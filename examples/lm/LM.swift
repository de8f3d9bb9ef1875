import ArgumentParser

@main
struct LM: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lm",
        abstract: "Train a small language model on a text, and write text with it.",
        discussion: """
            Models are folders as Hugging Face's transformers has them: config.json, model.safetensors, tokenizer.json. \
            What lm train writes loads there, and lm sample reads any Llama or GPT-NeoX with byte-level BPE.
            """,
        subcommands: [TrainCommand.self, SampleCommand.self, PerplexityCommand.self, TextCommand.self])
}
