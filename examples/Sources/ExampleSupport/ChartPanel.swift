import Foundation

/// One chart as it is drawn: title, legend under it, plot, axes.
struct ChartPanel {
    static let width = 640.0
    private static let plotHeight = 280.0
    private static let titleHeight = 38.0
    private static let legendLine = 20.0
    private static let footHeight = 58.0
    private static let rightMargin = 24.0

    static func height(legendHeight: Double) -> Double { titleHeight + legendHeight + 8 + plotHeight + footHeight }

    // Okabe and Ito's, those of good contrast first; black is left out, which no dark background shows.
    private static let colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
    private static let dashes = ["", "7 3", "2 3", "9 3 2 3"]

    private let chart: LineChart
    private let drawn: [DrawnSeries]
    private let xAxis: ChartAxis
    private let yAxis: ChartAxis
    private let xTicks: [ChartAxis.Tick]
    private let yTicks: [ChartAxis.Tick]
    private let leftMargin: Double
    private let legend: [LegendEntry]

    private struct DrawnSeries {
        let points: [LineChart.Point]
        let best: LineChart.Point?
        let colour: String
        let dash: String
    }

    private struct LegendEntry {
        let x: Double
        let line: Int
        let text: String
        /// Nil for the mark of the best points.
        let series: DrawnSeries?
    }

    init(_ chart: LineChart) {
        self.chart = chart
        func hasPlace(_ point: LineChart.Point) -> Bool {
            ChartAxis.shows(point.x, isLogarithmic: chart.isXLogarithmic)
                && ChartAxis.shows(point.y, isLogarithmic: false)
        }
        drawn = chart.series.enumerated().map { place, series in
            // A colour that comes again comes with another dash.
            let best = series.best.flatMap { series.points.indices.contains($0) ? series.points[$0] : nil }
            return DrawnSeries(
                points: series.points.filter(hasPlace), best: best.flatMap { hasPlace($0) ? $0 : nil },
                colour: Self.colours[place % Self.colours.count],
                dash: Self.dashes[place / Self.colours.count % Self.dashes.count])
        }
        xAxis = ChartAxis(drawn.flatMap { $0.points.map(\.x) }, isLogarithmic: chart.isXLogarithmic)
        yAxis = ChartAxis(drawn.flatMap { $0.points.map(\.y) })
        yTicks = yAxis.ticks(6)
        leftMargin = 44 + (yTicks.map { $0.label.drawnWidth }.max() ?? 0)
        xTicks = Self.ticksThatFit(xAxis, Self.width - leftMargin - Self.rightMargin)

        var legend: [LegendEntry] = []
        var x = leftMargin
        var line = 0
        var entries = zip(chart.series, drawn).map { ($0.name, Optional($1)) }
        if drawn.contains(where: { $0.best != nil }) { entries.append((chart.bestLabel, nil)) }
        for (name, series) in entries {
            let text = name.fitting(Self.width - leftMargin - Self.rightMargin - 36)
            let width = 36 + text.drawnWidth
            if x > leftMargin, x + width > Self.width - Self.rightMargin {
                x = leftMargin
                line += 1
            }
            legend.append(LegendEntry(x: x, line: line, text: text, series: series))
            x += width + 14
        }
        self.legend = legend
    }

    /// As many ticks as their labels leave room for.
    private static func ticksThatFit(_ axis: ChartAxis, _ width: Double) -> [ChartAxis.Tick] {
        let choices = [8, 6, 4, 3, 2].map { axis.ticks($0) }
        let fitting = choices.first { ticks in
            let places = ticks.map { width * axis.share($0.value) }
            let halves = ticks.map { ($0.label.drawnWidth + 10) / 2 }
            return ticks.indices.dropFirst().allSatisfy {
                places[$0] - places[$0 - 1] >= halves[$0] + halves[$0 - 1]
            }
        }
        return fitting ?? choices[choices.count - 1]
    }

    var legendHeight: Double { legend.last.map { Double($0.line + 1) * Self.legendLine } ?? 0 }

    /// - Parameter legendHeight: that of the highest legend in the row, so that the plots of a row stand level.
    func svg(x: Double, y: Double, legendHeight: Double) -> String {
        let plotTop = Self.titleHeight + legendHeight + 8
        let plotWidth = Self.width - leftMargin - Self.rightMargin
        func across(_ value: Double) -> Double { leftMargin + plotWidth * xAxis.share(value) }
        func down(_ value: Double) -> Double { plotTop + Self.plotHeight * (1 - yAxis.share(value)) }
        let bottom = plotTop + Self.plotHeight
        let right = leftMargin + plotWidth

        var parts = ["<g transform=\"translate(\(number(x)) \(number(y)))\">"]
        let title = chart.title.fitting(Self.width - 60, size: 15)
        parts.append(text(title, leftMargin, 25, "start", more: " font-size=\"15\" font-weight=\"600\""))
        parts += legend.map(draw)

        for tick in yTicks {
            let place = down(tick.value)
            parts.append(line("grid", "#e3e6ea", leftMargin, place, right, place))
            parts.append(text(tick.label, leftMargin - 8, place + 4, "end"))
        }
        for tick in xTicks {
            let place = across(tick.value)
            // A label at the very end stays within the picture.
            let centre = min(place, Self.width - 4 - tick.label.drawnWidth / 2)
            parts.append(line("axis", "#6b7280", place, bottom, place, bottom + 5))
            parts.append(text(tick.label, centre, bottom + 19, "middle"))
        }
        parts.append(line("axis", "#6b7280", leftMargin, bottom, right, bottom))
        parts.append(text(chart.xLabel.fitting(plotWidth), leftMargin + plotWidth / 2, bottom + 42, "middle"))
        let middle = plotTop + Self.plotHeight / 2
        parts.append(
            text(
                chart.yLabel.fitting(Self.plotHeight), 18, middle, "middle",
                more: " transform=\"rotate(-90 18 \(number(middle)))\""))

        if drawn.allSatisfy({ $0.points.isEmpty }) {
            parts.append(text("no data", leftMargin + plotWidth / 2, middle, "middle"))
        }
        for series in drawn { parts += draw(series, across, down) }
        // Above all lines, so that none hides them.
        for series in drawn {
            if let best = series.best { parts.append(ring(across(best.x), down(best.y), series.colour)) }
        }
        parts.append("</g>\n")
        return parts.joined(separator: "\n")
    }

    // MARK: - Parts

    private func draw(
        _ series: DrawnSeries, _ across: (Double) -> Double, _ down: (Double) -> Double
    ) -> [String] {
        let places = series.points.map { (across($0.x), down($0.y)) }
        var parts: [String] = []
        if places.count > 1 {
            let path = places.map { "\(number($0.0)),\(number($0.1))" }.joined(separator: " ")
            parts.append(
                "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(series.colour)\" stroke-width=\"2\" "
                    + "stroke-linejoin=\"round\"\(dash(series))/>")
        }
        // Where they are few, the points themselves are worth seeing.
        if places.count <= 40 {
            parts += places.map {
                "<circle cx=\"\(number($0.0))\" cy=\"\(number($0.1))\" r=\"2.5\" fill=\"\(series.colour)\"/>"
            }
        }
        return parts
    }

    private func draw(_ entry: LegendEntry) -> String {
        let middle = Self.titleHeight + (Double(entry.line) + 0.5) * Self.legendLine
        let label = text(entry.text, entry.x + 30, middle + 4, "start")
        guard let series = entry.series else { return ring(entry.x + 12, middle, "#7d8590") + "\n" + label }
        return "<line x1=\"\(number(entry.x))\" y1=\"\(number(middle))\" x2=\"\(number(entry.x + 24))\" "
            + "y2=\"\(number(middle))\" stroke=\"\(series.colour)\" stroke-width=\"2.5\"\(dash(series))/>\n" + label
    }

    private func dash(_ series: DrawnSeries) -> String {
        series.dash.isEmpty ? "" : " stroke-dasharray=\"\(series.dash)\""
    }

    private func ring(_ x: Double, _ y: Double, _ colour: String) -> String {
        "<circle class=\"ring\" cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"5.5\" fill=\"#ffffff\" "
            + "stroke=\"\(colour)\" stroke-width=\"2.5\"/>"
    }

    private func line(_ name: String, _ colour: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double)
        -> String
    {
        "<line class=\"\(name)\" x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" "
            + "stroke=\"\(colour)\"/>"
    }

    private func text(_ text: String, _ x: Double, _ y: Double, _ anchor: String, more: String = "") -> String {
        "<text class=\"text\" x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\" fill=\"#24292f\"\(more)>"
            + "\(text.xmlEscaped)</text>"
    }

    private func number(_ value: Double) -> String { fixed(value, 1) }
}

extension String {
    /// Roughly, at 12 pixels: no font is at hand to ask. Wide scripts are counted wide.
    fileprivate var drawnWidth: Double {
        unicodeScalars.reduce(0) { $0 + ($1.value >= 0x1100 ? 12.5 : 7.2) }
    }

    /// Cut, with an ellipsis, where it is wider than `width`.
    fileprivate func fitting(_ width: Double, size: Double = 12) -> String {
        let width = width * 12 / size
        guard drawnWidth > width else { return self }
        var text = self
        while !text.isEmpty, (text + "…").drawnWidth > width { text.removeLast() }
        return text + "…"
    }
}
