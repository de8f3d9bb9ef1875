"""What a run found, as tables."""

from __future__ import annotations

from suite.measure import Failure, Result

from gpu.work import GRADIENT, SCORE, SELECT, TITLES, Size, products

Answer = tuple[Size, list[Result], dict[str, Failure]]


def milliseconds(seconds: float) -> str:
    """Three digits that count."""
    value = seconds * 1e3
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def memory(result: Result) -> float | None:
    """MiB beside inputs and outputs: by the report for ours, by PyTorch's allocator (on a CPU: by the process)."""
    if "workspace_mib" in result.details:
        return float(result.details["workspace_mib"])
    return result.peak_mib


def compared(answers: list[Answer]) -> list[str]:
    """One table a kind of question: time and memory beside the peers'."""
    lines: list[str] = []
    for kind, title in TITLES.items():
        chosen = [answer for answer in answers if answer[0].kind == kind]
        if not chosen:
            continue
        lines += [
            f"## {title}",
            "",
            "| N, C, d | who | setting | ms (range) | × ours | MiB beside in- and outputs | × ours "
            "| useful TFLOP/s | MiB up, down |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for size, results, failures in chosen:
            ours = next((result for result in results if result.is_ours), None)
            needed = sum(part.flops for part in products(size) if part.is_needed)
            for result in results:
                lines.append(row(size, result, ours, needed))
            for name, failure in failures.items():
                reason = failure.reason.replace("|", "/")
                lines.append(f"| {size.text} | {name} | | {reason} | | | | | |")
        lines.append("")
    return lines


def row(size: Size, result: Result, ours: Result | None, needed: float) -> str:
    low, high = result.range_s
    used, own = memory(result), memory(ours) if ours else None
    moved = ""
    if "uploaded_mib" in result.details:
        moved = f"{result.details['uploaded_mib']:.1f}, {result.details['downloaded_mib']:.1f}"
    cells = [
        size.text,
        result.name,
        result.setting,
        f"{milliseconds(result.median_s)} ({milliseconds(low)}–{milliseconds(high)})",
        f"{result.median_s / ours.median_s:.2f}" if ours else "",
        "" if used is None else f"{used:.3g}" if used < 1000 else f"{used:,.0f}",
        "" if used is None or not own else f"{used / own:.1f}",
        f"{needed / result.median_s * 1e-12:.3g}",
        moved,
    ]
    return "| " + " | ".join(cells) + " |"


def stages(answers: list[Answer], speeds: list[float]) -> list[str]:
    """Ours by stage, as the report of the last call has it, beside the floors of the stage's products."""
    heads = [f"floor at {speed:g} TFLOP/s, ms" for speed in speeds]
    lines = [
        "## By stage",
        "",
        "Stage times are those of the library's report, the device's own where it has timestamps, copies included; the "
        "whole call is the wall clock's.",
        *sorted(
            {
                f"{result.name}: {note}."
                for _, results, _ in answers
                for result in results
                for note in result.details.get("notes", [])
            }
        ),
        "",
        f"| N, C, d | who | stage | products | GFLOP | {' | '.join(heads)} | measured, ms | TFLOP/s |",
        "|---|---|---|---|---|" + "---|" * (len(speeds) + 2),
    ]
    for size, results, _ in answers:
        for result in results:
            if "select_s" not in result.details:
                continue
            name = f"{result.name}, {size.kind}"
            for stage in [SELECT, SCORE, "combine", GRADIENT]:
                seconds = result.details[f"{stage}_s"]
                parts = [part for part in products(size) if part.stage == stage]
                flops = sum(part.flops for part in parts)
                if not parts and seconds == 0:
                    continue
                cells = [
                    size.text,
                    name,
                    stage,
                    ", ".join(part.what for part in parts),
                    f"{flops * 1e-9:.3g}" if parts else "",
                    *(
                        milliseconds(flops / speed * 1e-12) if parts else ""
                        for speed in speeds
                    ),
                    milliseconds(seconds),
                    f"{flops / seconds * 1e-12:.3g}" if parts and seconds > 0 else "",
                ]
                lines.append("| " + " | ".join(cells) + " |")
            whole = milliseconds(result.details["total_s"])
            blank = " | ".join([""] * len(speeds))
            lines.append(
                f"| {size.text} | {name} | whole call | | | {blank} | {whole} | |"
            )
    return [*lines, ""]


def features(devices: list[dict]) -> list[str]:
    """Features and limits, a column a device."""
    names = list(dict.fromkeys(name for device in devices for name in device))
    lines = [
        "## Devices",
        "",
        "| | " + " | ".join(device["name"] for device in devices) + " |",
        "|---|" + "---|" * len(devices),
    ]
    for name in names:
        if name in ("name", "memory_types"):
            continue
        shown = [show(device.get(name, "")) for device in devices]
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return [*lines, ""]


def show(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return "; ".join(show(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {show(item)}" for key, item in value.items())
    return str(value)
