"""Tables and plots of the examples."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text in columns: the first to the left, numbers to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def text(line: list[str]) -> str:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        return "   ".join(cells).rstrip()

    rule = "-" * len(text(lines[0]))
    return "\n".join([text(lines[0]), rule, *map(text, lines[1:])])


def plot(
    path: str, curves: dict[str, tuple[list[float], list[float]]], x: str, y: str
) -> None:
    """Lines, one for each name, written to `path` (.png, .svg or .pdf)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name, (across, up) in curves.items():
        axes.plot(across, up, marker=".", label=name)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def peak_memory() -> int:
    """The most memory this process has held, in bytes."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
