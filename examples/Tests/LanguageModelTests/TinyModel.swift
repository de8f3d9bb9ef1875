import LanguageModel
import Shortlist

/// Small models of every kind that the arithmetic tells apart, away from the special points of their initial values.
enum TinyModel: String, CaseIterable, Sendable {
    case llama, llamaBiased, llamaUntied, neoXParallel, neoXSequential

    var configuration: ModelConfiguration {
        switch self {
        case .llama: .llama(vocabularySize: 11, width: 8, layers: 2, heads: 4, keyHeads: 2, innerWidth: 12)
        case .llamaBiased:
            {
                var configuration = ModelConfiguration.llama(
                    vocabularySize: 11, width: 8, layers: 1, heads: 2, keyHeads: 1, innerWidth: 12)
                configuration.headWidth = 6
                configuration.attentionBias = true
                configuration.feedForwardBias = true
                return configuration
            }()
        case .llamaUntied:
            .llama(vocabularySize: 11, width: 8, layers: 1, heads: 2, innerWidth: 12, tiedEmbeddings: false)
        case .neoXParallel:
            .gptNeoX(vocabularySize: 11, width: 16, layers: 2, heads: 2, innerWidth: 12, rotaryFraction: 0.5)
        case .neoXSequential:
            .gptNeoX(
                vocabularySize: 11, width: 16, layers: 1, heads: 2, innerWidth: 12, parallelResidual: false,
                rotaryFraction: 0.25)
        }
    }

    func model(seed: UInt64 = 3) throws -> CausalLanguageModel {
        var configuration = configuration
        configuration.initialDeviation = 0.3
        let model = try CausalLanguageModel(configuration: configuration, seed: seed)
        for entry in model.layout.entries {
            for index in entry.range {
                model.parameters.elements[index] += 0.1 * Float((index * 7919) % 13 - 6) / 6
            }
        }
        return model
    }
}

/// The same numbers every time, from −1 to 1.
func numbers(_ rows: Int, _ columns: Int, _ seed: Int) throws -> Matrix {
    try Matrix(
        rows: rows, columns: columns,
        (0..<rows * columns).map { Float(($0 * 7907 + seed * 104_729) % 2003) / 1001 - 1 })
}
