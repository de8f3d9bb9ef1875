"""Processes that measure themselves, started in turn."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Competitor:
    """A command that prints one line of JSON with median_s, min_s, max_s and maybe peak_mib.

    `settings` are groups of arguments of which one is to be chosen: the search tries each once and keeps the fastest.
    """

    name: str
    command: list[str]
    settings: list[list[str]] = field(default_factory=lambda: [[]])
    is_ours: bool = False
    is_floor: bool = False


@dataclass
class Result:
    name: str
    setting: str
    median_s: float
    range_s: tuple[float, float]
    peak_mib: float | None
    is_ours: bool
    is_floor: bool
    details: dict


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Failure:
    """Why a process gave nothing."""

    reason: str


def run(command: list[str], limit_s: float) -> dict | Failure:
    """The last line of the command's output as JSON, or why there is none; that is said at once, too."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        say(f"  gave up after {limit_s:.0f} s: {' '.join(command[-12:])}")
        return Failure(f"gave up after {limit_s:.0f} s")
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [
            f"exit code {done.returncode}"
        ]
        say(f"  failed: {' '.join(command[-12:])}: {reason[0][:200]}")
        return Failure(reason[0][:200])
    return json.loads(done.stdout.strip().splitlines()[-1])


def choose(competitor: Competitor, limit_s: float) -> list[str] | Failure:
    """The fastest of the competitor's settings, each tried once with one repetition; the last failure where none
    works."""
    if len(competitor.settings) == 1:
        return competitor.settings[0]
    best: tuple[float, list[str]] | None = None
    failure = Failure("no setting to try")
    for setting in competitor.settings:
        found = run([*competitor.command, *setting, "--repeats", "1"], limit_s)
        if isinstance(found, Failure):
            failure = found
        elif best is None or found["median_s"] < best[0]:
            best = found["median_s"], setting
    return best[1] if best else failure


def compare(
    question: str,
    competitors: list[Competitor],
    turns: int,
    repeats: int,
    limit_s: float,
    failures: dict[str, Failure] | None = None,
) -> list[Result]:
    """Searches every competitor's setting, then lets all take turns; each measurement is a process of its own.

    Who fails is left out of what is returned; `failures`, where given, gets the reason under the name."""
    failed = {} if failures is None else failures
    chosen: dict[str, list[str]] = {}
    for competitor in competitors:
        setting = choose(competitor, limit_s)
        if isinstance(setting, Failure):
            failed[competitor.name] = setting
        else:
            chosen[competitor.name] = setting
    runs: dict[str, list[dict]] = {name: [] for name in chosen}
    for turn in range(turns):
        for competitor in competitors:
            if competitor.name not in chosen:
                continue
            started = time.monotonic()
            setting = chosen[competitor.name]
            found = run(
                [*competitor.command, *setting, "--repeats", str(repeats)], limit_s
            )
            if isinstance(found, Failure):
                failed[competitor.name] = found
                del chosen[competitor.name]
                continue
            runs[competitor.name].append(found)
            say(
                f"{question}: {competitor.name}, turn {turn + 1} of {turns}: "
                f"{found['median_s']:.4f} s ({time.monotonic() - started:.0f} s in all)"
            )
    return [
        summary(competitor, chosen.get(competitor.name, []), runs[competitor.name])
        for competitor in competitors
        if runs.get(competitor.name)
    ]


def summary(competitor: Competitor, setting: list[str], runs: list[dict]) -> Result:
    peaks = [found["peak_mib"] for found in runs if found.get("peak_mib") is not None]
    return Result(
        name=competitor.name,
        setting=" ".join(setting),
        median_s=statistics.median(found["median_s"] for found in runs),
        range_s=(
            min(found["min_s"] for found in runs),
            max(found["max_s"] for found in runs),
        ),
        peak_mib=max(peaks) if peaks else None,
        is_ours=competitor.is_ours,
        is_floor=competitor.is_floor,
        details=runs[-1],
    )
