"""Tables, JSON and the plot."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import asdict
from datetime import date
from pathlib import Path

from suite.measure import Result
from suite.questions import Question


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def tables(answers: list[tuple[Question, list[Result]]], threads: int) -> str:
    """One table a question: medians, ranges, ratios to ours, peak memory above inputs and outputs."""
    lines = [f"{processor()}, {threads} threads, {date.today()}"]
    for title in dict.fromkeys(question.table for question, _ in answers):
        lines += [
            "",
            f"## {title}",
            "",
            "| what | who | setting | seconds (range) | × ours | peak MiB | × ours |",
            "|---|---|---|---|---|---|---|",
        ]
        for question, results in answers:
            if question.table != title:
                continue
            ours = next((result for result in results if result.is_ours), None)
            for result in results:
                low, high = result.range_s
                ratio = f"{result.median_s / ours.median_s:.2f}" if ours else ""
                memory = f"{result.peak_mib:.0f}" if result.peak_mib is not None else ""
                more = (
                    f"{result.peak_mib / ours.peak_mib:.1f}"
                    if ours and ours.peak_mib and result.peak_mib is not None
                    else ""
                )
                lines.append(
                    f"| {question.label} | {result.name} | {result.setting} "
                    f"| {result.median_s:.4f} ({low:.4f}–{high:.4f}) | {ratio} | {memory} | {more} |"
                )
    return "\n".join(lines)


def write(
    answers: list[tuple[Question, list[Result]]], threads: int, target: Path
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "table": question.table,
            "what": question.label,
            "items": question.items,
            **asdict(result),
        }
        for question, results in answers
        for result in results
    ]
    document = {
        "processor": processor(),
        "threads": threads,
        "date": str(date.today()),
        "rows": rows,
    }
    target.write_text(json.dumps(document, indent=1) + "\n")


def plot(python: str, source: Path, target: Path) -> None:
    """Time and memory against C as an SVG, drawn by an interpreter with matplotlib."""
    script = Path(__file__).resolve().parent / "plot.py"
    subprocess.run([python, str(script), str(source), str(target)], check=True)
