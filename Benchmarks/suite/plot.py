"""plot.py RESULTS.json PICTURE.svg: time and memory against C, from the rows of the scaling question."""

from __future__ import annotations

import json
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt


def main() -> None:
    source, target = sys.argv[1:]
    with open(source) as file:
        rows = [
            row
            for row in json.load(file)["rows"]
            if row["table"].startswith("Time and memory")
        ]
    figure, (time_axis, memory_axis) = plt.subplots(1, 2, figsize=(11, 4.2))
    for place, name in enumerate(dict.fromkeys(row["name"] for row in rows)):
        mine = sorted(
            (row for row in rows if row["name"] == name), key=lambda row: row["items"]
        )
        items = [row["items"] for row in mine]
        style = {
            "marker": "o",
            "linestyle": "-" if name.startswith("shortlist") else "--",
            "color": f"C{place % 3}",
        }
        time_axis.plot(items, [row["median_s"] for row in mine], label=name, **style)
        memory_axis.plot(
            items, [max(row["peak_mib"], 0.1) for row in mine], label=name, **style
        )
    for axis, what in [
        (time_axis, "seconds, forward and backward"),
        (memory_axis, "peak MiB above inputs and outputs"),
    ]:
        axis.set(xscale="log", yscale="log", xlabel="C, items", ylabel=what)
        axis.grid(True, alpha=0.3)
    time_axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(target)


if __name__ == "__main__":
    main()
