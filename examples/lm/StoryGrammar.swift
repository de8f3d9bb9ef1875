import ExampleSupport

/// Little stories from a grammar: the text to train on when none is given. The same seed gives the same stories.
///
/// It is no natural language, but it asks for what language asks for: spelling, agreement, who did what some sentences
/// ago, quotation marks that close, and endings that fit their beginnings.
struct StoryGrammar {
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed, stream: 77) }

    /// Stories, each a document, of about `bytes` in all.
    mutating func documents(bytes: Int) -> [TextSource.Document] {
        var made: [TextSource.Document] = []
        var size = 0
        while size < bytes {
            let story = story()
            size += story.utf8.count
            made.append(TextSource.Document(name: "story \(made.count + 1)", text: story))
        }
        return made
    }

    private struct Person {
        let name: String
        let job: String
        let they: String
        let them: String
        let their: String
        var capitalizedThey: String { they.prefix(1).uppercased() + they.dropFirst() }
    }

    mutating func story() -> String {
        let hero = person(not: nil)
        let helper = person(not: hero.name)
        let (place, way) = pick(Words.places)
        let (thing, made) = (pick(Words.things), pick(Words.qualities))
        let lost = "\(made) \(thing)"
        let trouble = pick(Words.troubles)
        let season = pick(Words.seasons)
        let count = 2 + generator.index(below: 8)
        var paragraphs = ["The \(lost.capitalizedWords)"]

        var opening = pick([
            "\(season), \(hero.name) the \(hero.job) went \(way) the \(place).",
            "There was once \(article(hero.job)) called \(hero.name), who lived near the \(place).",
            "Nobody in the \(place) worked harder than \(hero.name), the \(hero.job).",
        ])
        opening +=
            " "
            + pick([
                "\(hero.capitalizedThey) owned nothing but \(article(lost)) and \(Words.numbers[count]) \(pick(Words.goods)).",
                "\(hero.capitalizedThey) carried \(article(lost)), which \(hero.their) \(pick(Words.family)) had given \(hero.them).",
                "For \(Words.numbers[count]) years \(hero.they) had kept \(article(lost)) under \(hero.their) bed.",
            ])
        paragraphs.append(opening)

        var middle = pick([
            "But \(trouble), and the \(thing) was gone.",
            "Then \(trouble). When \(hero.name) looked up again, the \(thing) was gone.",
            "That night \(trouble), and in the morning \(hero.name) could not find the \(thing).",
        ])
        middle +=
            " "
            + pick([
                "\"Who has seen my \(thing)?\" asked \(hero.name).",
                "\"My \(thing)!\" cried \(hero.name). \"Where can it be?\"",
                "\(hero.name) looked for it in the \(pick(Words.places).0) and in the \(pick(Words.places).0), but in vain.",
            ])
        paragraphs.append(middle)

        var meeting = pick([
            "On the road \(hero.they) met \(helper.name), \(article(helper.job)).",
            "At last \(helper.name) the \(helper.job) came by.",
            "Now \(helper.name), the \(helper.job), heard of it and came at once.",
        ])
        let price = "\(Words.numbers[count]) \(pick(Words.goods))"
        meeting +=
            " "
            + pick([
                "\"I will help you,\" said \(helper.name), \"if you give me \(price).\"",
                "\"Do not weep,\" said \(helper.name). \"Give me \(price) and I will find it.\"",
                "\"What will you give me for it?\" asked \(helper.name). \"\(price.capitalizedFirst),\" said \(hero.name).",
            ])
        paragraphs.append(meeting)

        let finding = pick([
            "They searched for \(Words.numbers[1 + generator.index(below: 9)]) days. In the end \(helper.name) found the "
                + "\(lost) in the \(pick(Words.places).0), and \(hero.name) paid \(helper.them) \(price).",
            "\(helper.name) knew where to look: the \(thing) lay in the \(pick(Words.places).0). "
                + "\(hero.name) thanked \(helper.them) and counted out \(price).",
            "\(helper.name) climbed \(pick(Words.heights)) and saw it shine. So \(hero.name) got the \(lost) back, and "
                + "\(helper.name) went home with \(price).",
        ])
        paragraphs.append(finding)
        paragraphs.append(
            pick([
                "From that day on \(hero.name) and \(helper.name) were friends.",
                "And \(hero.name) never lost \(hero.their) \(thing) again.",
                "\"\(pick(Words.sayings)),\" said the people of the \(place).",
                "That is why, in the \(place), they still say: \"\(pick(Words.sayings)).\"",
            ]))
        return paragraphs.joined(separator: "\n\n") + "\n"
    }

    private mutating func person(not taken: String?) -> Person {
        var name = generator.index(below: Words.names.count)
        if Words.names[name] == taken { name = (name + 1) % Words.names.count }
        // Names at even places are women's.
        let isWoman = name.isMultiple(of: 2)
        return Person(
            name: Words.names[name], job: pick(Words.jobs), they: isWoman ? "she" : "he", them: isWoman ? "her" : "him",
            their: isWoman ? "her" : "his")
    }

    private mutating func pick<Element>(_ list: [Element]) -> Element { list[generator.index(below: list.count)] }

    private func article(_ noun: String) -> String { ("aeiou".contains(noun.first ?? "x") ? "an " : "a ") + noun }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
    fileprivate var capitalizedWords: String {
        split(separator: " ").map { String($0).capitalizedFirst }.joined(separator: " ")
    }
}

private enum Words {
    static let names = [
        "Anna", "Bruno", "Clara", "David", "Edith", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Klara", "Leon", "Mira",
        "Nils", "Olga", "Peter", "Rosa", "Simon", "Thea", "Umar", "Vera", "Willem", "Yara", "Zeno", "Alma", "Boris",
        "Dora", "Emil", "Flora", "Gustav",
    ]
    static let jobs = [
        "baker", "miller", "weaver", "sailor", "shepherd", "tailor", "potter", "fisher", "carpenter", "teacher",
        "doctor",
        "gardener", "hunter", "smith", "painter", "musician", "innkeeper", "glassblower", "astronomer", "engineer",
        "librarian", "beekeeper", "ferryman", "cook", "mason",
    ]
    /// With the words that lead there.
    static let places = [
        ("market", "to"), ("forest", "into"), ("village", "down to"), ("harbour", "down to"), ("mountain", "up"),
        ("river", "along"), ("castle", "up to"), ("mill", "to"), ("garden", "into"), ("valley", "through"),
        ("old town", "through"), ("lighthouse", "out to"), ("island", "over to"), ("orchard", "into"),
        ("bridge", "over"),
        ("desert", "across"), ("library", "to"), ("cellar", "down into"), ("tower", "up"), ("meadow", "across"),
    ]
    static let things = [
        "kettle", "ring", "clock", "lantern", "violin", "boat", "key", "hat", "mirror", "knife", "coat", "letter",
        "book",
        "wheel", "basket", "drum", "cup", "compass", "bell", "chair", "kite", "map", "candle", "flute", "rope",
    ]
    static let qualities = [
        "red", "old", "silver", "wooden", "golden", "tiny", "heavy", "broken", "blue", "iron", "round", "white",
        "green",
        "painted", "empty", "singing", "copper", "black", "yellow", "glass",
    ]
    static let goods = [
        "apples", "loaves of bread", "goats", "coins", "eggs", "jars of honey", "pears", "barrels of salt", "candles",
        "pounds of wool", "fishes", "bags of flour", "onions", "nuts", "bottles of oil",
    ]
    static let family = ["mother", "father", "grandmother", "grandfather", "sister", "brother", "uncle", "aunt"]
    static let troubles = [
        "a storm came up", "a fox ran by", "the snow began to fall", "a thief crept in", "the river rose",
        "the wind tore the door open", "a great bird flew down from the sky", "the lamp went out", "the earth shook",
        "a stranger knocked at the door", "the goats broke loose", "a thick fog rolled in from the sea",
    ]
    static let seasons = [
        "One morning", "One cold evening in winter", "In the spring", "On the first day of summer", "Late in autumn",
        "Before the sun rose", "On a rainy afternoon", "The day after the harvest",
    ]
    static let heights = ["the tallest tree", "the church tower", "a high rock", "onto the roof", "the mast of a ship"]
    static let sayings = [
        "Who seeks shall find", "Two see more than one", "A good friend is worth more than gold",
        "Keep what you love close", "Honest work is paid in the end", "The storm takes and the storm gives",
    ]
    static let numbers = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
}
