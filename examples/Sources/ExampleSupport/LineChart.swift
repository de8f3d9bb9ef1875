import Foundation

/// A line chart as an SVG picture that needs nothing else: no fonts, scripts or style sheets from elsewhere.
///
/// The picture has a background of its own, white, or dark where the viewer asks for dark colours, so that it is
/// readable on any page. The series' colours are those of Okabe and Ito, which colour-blind readers can tell apart.
public struct LineChart: Sendable {
    public struct Point: Sendable, Equatable {
        public var x: Double
        public var y: Double

        public init(_ x: Double, _ y: Double) {
            self.x = x
            self.y = y
        }
    }

    public struct Series: Sendable {
        public var name: String
        /// In the order in which the line goes. Points that have no place (not finite, or x ≤ 0 on a logarithmic axis)
        /// are left out, and the line goes from the one before to the one after.
        public var points: [Point]
        /// Which of `points` is marked as the best, if one is.
        public var best: Int?

        public init(_ name: String, _ points: [Point], best: Int? = nil) {
            self.name = name
            self.points = points
            self.best = best
        }
    }

    public var title: String
    public var xLabel: String
    public var yLabel: String
    public var isXLogarithmic: Bool
    /// What the legend calls the marked points.
    public var bestLabel: String
    public var series: [Series]

    public init(
        title: String, xLabel: String, yLabel: String, isXLogarithmic: Bool = false, bestLabel: String = "best",
        series: [Series]
    ) {
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.isXLogarithmic = isXLogarithmic
        self.bestLabel = bestLabel
        self.series = series
    }

    /// The picture, 640 × 400 or higher where the legend takes several lines.
    public var svg: String { ChartGrid([self]).svg }
}

/// Several charts in one SVG picture, in rows from left to right.
public struct ChartGrid: Sendable {
    public var charts: [LineChart]
    /// Charts in a row.
    public var columns: Int

    /// - Parameter columns: at least 1.
    public init(_ charts: [LineChart], columns: Int = 2) {
        precondition(columns > 0, "a grid of \(columns) columns")
        self.charts = charts
        self.columns = columns
    }

    public var svg: String {
        let panels = charts.map(ChartPanel.init)
        let across = max(1, min(columns, panels.count))
        var body = ""
        var top = 0.0
        for start in stride(from: 0, to: panels.count, by: across) {
            let row = panels[start..<min(panels.count, start + across)]
            let legendHeight = row.map(\.legendHeight).max() ?? 0
            for (place, panel) in row.enumerated() {
                body += panel.svg(x: Double(place) * ChartPanel.width, y: top, legendHeight: legendHeight)
            }
            top += ChartPanel.height(legendHeight: legendHeight)
        }
        let width = Int(Double(across) * ChartPanel.width)
        let height = Int(max(top, 1))
        let name = charts.map(\.title).joined(separator: "; ").xmlEscaped
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" \
            viewBox="0 0 \(width) \(height)" role="img" font-size="12" \
            font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif">
            <title>\(name)</title>
            <style>@media (prefers-color-scheme: dark) { .paper { fill: #15191f } .ring { fill: #15191f } \
            .text { fill: #d6dae0 } .grid { stroke: #343a44 } .axis { stroke: #7d8590 } }</style>
            <rect class="paper" width="\(width)" height="\(height)" fill="#ffffff"/>
            \(body)</svg>

            """
    }
}

extension String {
    /// As text or an attribute of XML; characters that XML has no place for become U+FFFD.
    var xmlEscaped: String {
        var escaped = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            case "\t", "\n", "\r": escaped += " "
            case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
