import Foundation
import Testing

@testable import ExampleSupport

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite struct LineChartTests {
    private func chart(_ series: [LineChart.Series], log: Bool = false) -> LineChart {
        LineChart(title: "Quality", xLabel: "epoch", yLabel: "NDCG@10", isXLogarithmic: log, series: series)
    }

    @Test func `a chart has its texts and one line per series`() throws {
        let picture = try Picture(
            chart([
                .init("ce", [.init(1, 0.1), .init(2, 0.2), .init(3, 0.15)], best: 1),
                .init("sce", [.init(1, 0), .init(3, 1)]),
            ]).svg)
        for text in ["Quality", "epoch", "NDCG@10", "ce", "sce", "best"] {
            #expect(picture.texts.contains(text), "\(text)")
        }
        let lines = picture.all("polyline")
        #expect(lines.map { $0["points"]!.split(separator: " ").count } == [3, 2])
        #expect(Set(lines.map { $0["stroke"] }).count == 2)
    }

    @Test func `points lie where their numbers are, up for more and right for more`() throws {
        let picture = try Picture(chart([.init("a", [.init(0, 0), .init(4, 4), .init(8, 8)])]).svg)
        let points = picture.all("polyline")[0]["points"]!.split(separator: " ").map { pair in
            pair.split(separator: ",").map { Double($0)! }
        }
        #expect(points[0][0] < points[1][0] && points[1][0] < points[2][0])
        #expect(points[0][1] > points[1][1] && points[1][1] > points[2][1])
        #expect(abs(points[0][0] + points[2][0] - 2 * points[1][0]) < 0.2)
        // The tick that says 4 stands under the middle point.
        let tick = try #require(picture.elements.first { $0.text == "4" && $0.attributes["text-anchor"] == "middle" })
        #expect(abs(Double(tick.attributes["x"]!)! - points[1][0]) < 0.11)
    }

    @Test func `the legend stands above every point, however many series`() throws {
        for count in [1, 5, 30] {
            let series = (0..<count).map { place in
                LineChart.Series(
                    "a rather long series name \(place)", [.init(0, Double(place)), .init(1, 100)], best: 1)
            }
            let picture = try Picture(chart(series).svg)
            let names = picture.elements.filter { $0.text.hasPrefix("a rather long") || $0.text == "best" }
            #expect(names.count == count + 1)
            let lowest = names.map { Double($0.attributes["y"]!)! }.max()!
            let points = picture.all("polyline").flatMap { $0["points"]!.split(separator: " ") }
            let highest = points.map { Double($0.split(separator: ",")[1])! }.min()!
            #expect(lowest < highest - 10)
            // No two look the same, up to the number that are told apart.
            let looks = Set(picture.all("polyline").map { "\($0["stroke"]!) \($0["stroke-dasharray"] ?? "")" })
            #expect(looks.count == min(count, 24))
        }
    }

    @Test(arguments: [false, true])
    func `points without a place are left out, and no coordinate is ever not a number`(log: Bool) throws {
        let odd: [Double] = [
            .nan, .infinity, -.infinity, 0, -0.0, 1, -3, 1e308, -1e308, 1e299, .leastNonzeroMagnitude,
            .leastNormalMagnitude, 1 + 1e-15,
        ]
        for x in odd {
            for y in odd {
                for points in [[LineChart.Point(x, y)], [.init(1, 1), .init(x, y), .init(y, x)]] {
                    let text = chart([.init("a", points, best: 0), .init("b", [], best: 3)], log: log).svg
                    #expect(!text.contains("nan") && !text.contains("inf"), "\(points)")
                    _ = try Picture(text)
                }
            }
        }
        let picture = try Picture(
            chart([.init("a", [.init(1, 1), .init(2, .nan), .init(3, 2), .init(-1, 2)])], log: log).svg)
        #expect(picture.all("polyline")[0]["points"]!.split(separator: " ").count == (log ? 2 : 3))
    }

    @Test func `one point is a dot, none says that there are no data`() throws {
        let one = try Picture(chart([.init("a", [.init(7, 0.5)])]).svg)
        #expect(one.all("circle").count == 1 && one.all("polyline").isEmpty)
        #expect(one.texts.contains("7.0"))
        for series in [[], [LineChart.Series("a", [])]] {
            #expect(try Picture(chart(series).svg).texts.contains("no data"))
        }
        #expect(!one.texts.contains("no data"))
    }

    @Test func `texts of any kind make well-formed XML and come out as they went in`() throws {
        let odd = "<a href=\"x\">&amp; 'q' ]]> é 漢字 💡"
        let picture = try Picture(
            LineChart(
                title: odd, xLabel: odd, yLabel: odd, bestLabel: odd, series: [.init(odd, [.init(0, 0)], best: 0)]
            ).svg)
        #expect(picture.texts.count { $0 == odd } == 6)
        let control = try Picture(chart([.init("bell\u{7}\u{0}", [])]).svg)
        #expect(control.texts.contains("bell\u{FFFD}\u{FFFD}"))
        let long = String(repeating: "long ", count: 100)
        let cut = try Picture(LineChart(title: long, xLabel: long, yLabel: long, series: [.init(long, [])]).svg)
        #expect(cut.texts.count { $0.hasSuffix("…") } == 4)
    }

    @Test func `a grid puts charts side by side with their plots level`() throws {
        let few = chart([.init("a", [.init(0, 0), .init(1, 1)])])
        let many = chart((0..<12).map { .init("a rather long series name \($0)", [.init(0, 0), .init(1, 1)]) })
        let picture = try Picture(ChartGrid([few, many, few], columns: 2).svg)
        #expect(picture.all("svg")[0]["width"] == "1280")
        #expect(picture.all("g").count == 3)
        let ends = picture.all("polyline").map { $0["points"]!.split(separator: " ")[0].split(separator: ",")[1] }
        #expect(ends[0] == ends[1])
        #expect(try Picture(ChartGrid([], columns: 3).svg).all("g").isEmpty)
    }

    @Test(arguments: [false, true])
    func `labels of the axis do not touch and stay in the picture`(log: Bool) throws {
        for (low, high) in [(900_000, 1_100_000.0), (1.6e9, 1.6e9 + 400), (0.001, 5), (1, 9e8), (1, 37), (2, 2)] {
            let picture = try Picture(chart([.init("a", [.init(low, 0), .init(high, 1)])], log: log).svg)
            let labels = picture.elements.filter {
                $0.attributes["text-anchor"] == "middle" && $0.text != "epoch" && $0.text != "NDCG@10"
            }
            #expect(labels.count >= 2)
            let ends = labels.map { label in
                let middle = Double(label.attributes["x"]!)!
                return (middle - 3.6 * Double(label.text.count), middle + 3.6 * Double(label.text.count))
            }
            for (left, right) in zip(ends, ends.dropFirst()) {
                #expect(left.1 < right.0, "\(labels.map(\.text))")
            }
            #expect(ends.last!.1 <= 640)
        }
    }

    // MARK: - Ticks

    @Test func `ticks are round numbers with the decimals they need`() {
        func labels(_ low: Double, _ high: Double, log: Bool = false) -> [String] {
            ChartAxis([low, high], isLogarithmic: log).ticks(6).map(\.label)
        }
        #expect(labels(0, 10) == ["0", "2", "4", "6", "8", "10"])
        #expect(labels(0.1, 0.32) == ["0.10", "0.15", "0.20", "0.25", "0.30"])
        #expect(labels(-1, 1) == ["-1.0", "-0.5", "0.0", "0.5", "1.0"])
        #expect(labels(0, 100_000) == ["0", "20,000", "40,000", "60,000", "80,000", "100,000"])
        #expect(labels(0, 5e6) == ["0", "1e+06", "2e+06", "3e+06", "4e+06", "5e+06"])
        #expect(labels(9e5, 1.1e6) == ["9e+05", "9.5e+05", "1e+06", "1.05e+06", "1.1e+06"])
        #expect(labels(1_600_000_000, 1_600_000_400).prefix(2) == ["1,600,000,000", "1,600,000,100"])
        #expect(labels(0, 4e-6).prefix(2) == ["0", "1e-06"])
        #expect(labels(1, 1000, log: true) == ["1", "10", "100", "1,000"])
        #expect(labels(1, 100, log: true) == ["1", "2", "5", "10", "20", "50", "100"])
        #expect(labels(0.01, 100_000_000, log: true) == ["0.01", "1", "100", "10,000", "1e+06", "1e+08"])
    }

    @Test func `an axis has a few ticks, all within it, whatever it shows`() {
        var random = SeededGenerator(seed: 4)
        for _ in 0..<2000 {
            let size = pow(10, 20 * random.uniform() - 10)
            // Sometimes far from 0, as times are.
            let offset = random.uniform() < 0.5 ? 0 : 1e6 * size
            let values = (0..<3).map { _ in offset + size * (0.001 + random.uniform()) }
            for log in [false, true] {
                let axis = ChartAxis(values, isLogarithmic: log)
                let ticks = axis.ticks(6)
                #expect((1...10).contains(ticks.count), "\(values), \(log): \(ticks)")
                #expect(ticks.allSatisfy { (-1e-9...1 + 1e-9).contains(axis.share($0.value)) })
                #expect(Set(ticks.map(\.label)).count == ticks.count, "\(ticks)")
            }
        }
    }
}

/// An SVG picture taken apart by an XML parser.
private final class Picture: NSObject, XMLParserDelegate {
    struct Element {
        let name: String
        let attributes: [String: String]
        var text = ""
    }

    private(set) var elements: [Element] = []
    private var open: [Int] = []

    init(_ svg: String) throws {
        super.init()
        let parser = XMLParser(data: Data(svg.utf8))
        parser.delegate = self
        guard parser.parse() else { throw NotXML(description: "\(String(describing: parser.parserError)) in \(svg)") }
    }

    var texts: [String] { elements.filter { ["text", "title"].contains($0.name) }.map(\.text) }

    func all(_ name: String) -> [[String: String]] { elements.filter { $0.name == name }.map(\.attributes) }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        open.append(elements.count)
        elements.append(Element(name: name, attributes: attributes))
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) {
        if let last = open.last { elements[last].text += text }
    }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        open.removeLast()
    }
}

private struct NotXML: Error, CustomStringConvertible { let description: String }
