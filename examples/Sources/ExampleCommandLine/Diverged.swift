/// A training loss that is no number any more.
public struct Diverged: Error, CustomStringConvertible {
    public let loss: LossName
    public let step: Int
    /// What a user can try, as it stands after "try".
    public let advice: String

    public init(loss: LossName, step: Int, advice: String = "a lower --learning-rate or --clip-norm") {
        self.loss = loss
        self.step = step
        self.advice = advice
    }

    public var description: String { "the loss \(loss.rawValue) is not finite at step \(step); try \(advice)" }
}
