import ArgumentParser

@main
struct OneStep: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "onestep",
        abstract: "Hundreds of tokens in one forward pass of a frozen language model, from two trained vectors.",
        discussion: """
            "Exploring the Hidden Capacity of LLMs for One-Step Text Generation" (arXiv 2505.21189): the input is \
            [e] [m] [m] … [m], two trained vectors and nothing else, and the model's first choices at the N positions \
            are the text. The vectors are trained with cross-entropy over the whole vocabulary, which this library \
            computes without storing logits.

            `lm train` makes a model to work with; any Llama or GPT-NeoX folder from Hugging Face will do as well.
            """,
        subcommands: [
            FitCommand.self, DecodeCommand.self, CapacityCommand.self, ArrangementsCommand.self,
            AutoregressionCommand.self, ConnectivityCommand.self, LossesCommand.self,
        ])
}
