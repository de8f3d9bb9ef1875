/// Invented interactions with the traits that make next-item recommendation worth learning:
///
/// - a few items are chosen much more often than the rest (Zipf–Mandelbrot);
/// - items come in topics, every user likes two at a time, and tastes drift to related topics;
/// - order matters: an item has a few favourite followers, the way a sequel follows its film;
/// - some choices are just popular, whoever the user.
public struct SyntheticData: Sendable {
    public var users: Int
    public var items: Int
    public var seed: UInt64

    /// Items are chosen in proportion to 1 / (popularity rank + `flatness`).
    private let flatness = 50.0
    private let itemsPerTopic = 60
    private let followersPerItem = 5
    private let relatedTopics = 4
    private let historyLength = 5...24

    private let chanceOfFollower = 0.3
    private let chanceOfTopic = 0.5
    private let chanceOfDrift = 0.12

    public init(users: Int, items: Int, seed: UInt64) {
        self.users = users
        self.items = items
        self.seed = seed
    }

    public func generate() -> Interactions {
        var world = World(self, SeededGenerator(seed: seed, stream: 1))
        let histories = (0..<users).map { _ in world.history() }
        return Interactions(histories: histories, itemNames: (0..<items).map { "item \($0)" })
    }

    /// The items with their popularity, topics and followers; what users draw from.
    private struct World {
        let settings: SyntheticData
        var generator: SeededGenerator
        let popularity: WeightedChoice
        let itemsOfTopic: [[Int32]]
        let choiceInTopic: [WeightedChoice]
        let choiceOfTopic: WeightedChoice
        var relatedTopics: [[Int]] = []
        var followers: [[Int32]] = []

        init(_ settings: SyntheticData, _ seeded: SeededGenerator) {
            self.settings = settings
            generator = seeded

            var ranks = Array(0..<settings.items)
            generator.shuffle(&ranks)
            let weights = ranks.map { 1 / (Double($0) + settings.flatness) }
            popularity = WeightedChoice(weights)

            // Every topic has an item: the first of them are dealt in turn, the others at random.
            let topics = max(1, settings.items / settings.itemsPerTopic)
            var topicOfItem = Array(0..<settings.items)
            for item in topics..<max(topics, settings.items) { topicOfItem[item] = generator.index(below: topics) }
            var members = [[Int32]](repeating: [], count: topics)
            for (item, topic) in topicOfItem.enumerated() { members[topic].append(Int32(item)) }
            let memberWeights = members.map { $0.map { weights[Int($0)] } }
            itemsOfTopic = members
            choiceInTopic = memberWeights.map(WeightedChoice.init)
            choiceOfTopic = WeightedChoice(memberWeights.map { $0.reduce(0, +) })
            for _ in 0..<topics {
                relatedTopics.append((0..<settings.relatedTopics).map { _ in choiceOfTopic.draw(&generator) })
            }
            for topic in topicOfItem {
                followers.append((0..<settings.followersPerItem).map { _ in item(of: topic) })
            }
        }

        mutating func item(of topic: Int) -> Int32 {
            itemsOfTopic[topic][choiceInTopic[topic].draw(&generator)]
        }

        /// One user's life: two topics at a time, one of them now and then replaced by a related one.
        mutating func history() -> [Int32] {
            let range = settings.historyLength
            // The smaller of two draws: short histories are commoner than long ones.
            let span = range.upperBound - range.lowerBound + 1
            let length = range.lowerBound + min(generator.index(below: span), generator.index(below: span))
            var tastes = [choiceOfTopic.draw(&generator), choiceOfTopic.draw(&generator)]
            var chosen: [Int32] = []
            // Nobody chooses an item twice; a tiny catalog may run out, hence the bound on attempts.
            for _ in 0..<20 * length where chosen.count < length {
                if generator.uniform() < settings.chanceOfDrift {
                    let drifting = generator.index(below: tastes.count)
                    tastes[drifting] = relatedTopics[tastes[drifting]][generator.index(below: settings.relatedTopics)]
                }
                let item = choice(after: chosen.last, tastes)
                if !chosen.contains(item) { chosen.append(item) }
            }
            return chosen
        }

        private mutating func choice(after last: Int32?, _ tastes: [Int]) -> Int32 {
            let kind = generator.uniform()
            if kind < settings.chanceOfFollower, let last {
                // The first follower is the favourite: of two draws the lower place.
                let count = settings.followersPerItem
                return followers[Int(last)][min(generator.index(below: count), generator.index(below: count))]
            }
            if kind < settings.chanceOfFollower + settings.chanceOfTopic {
                return item(of: tastes[generator.index(below: tastes.count)])
            }
            return Int32(popularity.draw(&generator))
        }
    }
}
