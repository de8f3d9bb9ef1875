"""The questions, and who answers them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from suite.measure import Competitor

HERE = Path(__file__).resolve().parent.parent
SIZES = [
    (6_400, 100_000, 64),
    (25_600, 173_511, 64),
    (25_600, 1_000_000, 64),
    (8_192, 262_144, 256),
]


@dataclass(frozen=True)
class Programs:
    """`lossbench` and `sasrec`, built; an interpreter with the peers' libraries, or None."""

    lossbench: str
    sasrec: str
    peers: str | None
    threads: int


@dataclass(frozen=True)
class Question:
    table: str
    """Which table the row group belongs to."""
    label: str
    """Sizes, as the first column shows them."""
    competitors: list[Competitor]
    repeats: int
    items: int = 0


def numbers(tokens: int, items: int, width: int) -> list[str]:
    return ["--tokens", str(tokens), "--items", str(items), "--width", str(width)]


def label(tokens: int, items: int, width: int) -> str:
    return f"{tokens:,}, {items:,}, {width}"


def torch_settings(programs: Programs) -> list[list[str]]:
    """Thread counts up to ours: more threads than cores are never faster."""
    return [["--threads", str(count)] for count in sorted({1, programs.threads})]


def torch_losses(
    programs: Programs, kind: str, tokens: int, items: int, size: list[str], quick: bool
) -> list[Competitor]:
    """What PyTorch has for a loss, each with the settings to search."""
    peer = [str(programs.peers), str(HERE / "peers" / "torch_losses.py"), *size]
    all_threads = ["--threads", str(programs.threads)]
    if kind != "ce":
        eager = Competitor(
            "torch eager", [*peer, "--loss", kind], torch_settings(programs)
        )
        if quick:  # compiling takes half a minute
            return [eager]
        how = ["--loss", kind, "--how", "compile"]
        return [eager, Competitor("torch compile", [*peer, *how], [all_threads])]
    chunks = [[], *(["--chunk", str(c)] for c in (128, 256, 512, 1024, 2048))]
    found = [
        Competitor(
            "F.linear_cross_entropy",
            [*peer, "--loss", "linear_ce"],
            [[*chunk, *all_threads] for chunk in chunks[: 2 if quick else None]],
        )
    ]
    if (
        tokens * items <= 1e9
    ):  # beyond, its logits and their gradient need more than 8 GB
        found.append(
            Competitor("F.cross_entropy", [*peer, "--loss", "ce"], [all_threads])
        )
    return found


def losses(
    programs: Programs,
    kinds: list[str],
    sizes: list[tuple[int, int, int]],
    quick: bool,
) -> Iterator[Question]:
    """Forward and backward with dense dX and dY: SCE, RECE (also at 4 and 16 rounds) and exact cross-entropy."""
    ours = ["--threads", str(programs.threads)]
    for kind in kinds:
        for tokens, items, width in SIZES[:1] if quick else sizes:
            size = numbers(tokens, items, width)
            exact = kind == "ce"
            for rounds in [1] if kind != "rece" or quick else [1, 4, 16]:
                if rounds > 1 and items > 200_000:
                    continue  # minutes a call, and the same code
                extra = ["--rounds", str(rounds)] if kind == "rece" else []
                # Beyond half a million items the default workspace has no room to keep logits.
                room = [[], ["--limit", "1024"]] if exact and items > 500_000 else [[]]
                competitors = [
                    Competitor(
                        "shortlist",
                        [
                            programs.lossbench,
                            "loss",
                            "--loss",
                            kind,
                            *size,
                            *ours,
                            *extra,
                        ],
                        room,
                        is_ours=True,
                    ),
                    Competitor(
                        "the products alone, OpenBLAS",
                        [
                            programs.lossbench,
                            "floor",
                            "--of",
                            kind,
                            *size,
                            *ours,
                            *extra,
                        ],
                        is_floor=True,
                    ),
                ]
                if programs.peers and rounds == 1:
                    competitors += torch_losses(
                        programs, kind, tokens, items, size, quick
                    )
                name = {"sce": "SCE", "rece": "RECE", "ce": "Exact cross-entropy"}[kind]
                more = f", {rounds} rounds" if rounds > 1 else ""
                yield Question(
                    f"{name}, forward and backward",
                    label(tokens, items, width) + more,
                    competitors,
                    1 if exact else 3,
                    items,
                )


def retrieval(programs: Programs, quick: bool) -> Iterator[Question]:
    """Exact top-k over a million items."""
    peer = str(HERE / "peers" / "retrieval.py")
    items, width = (100_000, 64) if quick else (1_000_000, 64)
    for queries in [320] if quick else [320, 1_024]:
        for k in [256] if quick else [10, 256, 4_096]:
            size = [*numbers(queries, items, width), "--k", str(k)]
            threads = ["--threads", str(programs.threads)]
            competitors = [
                Competitor(
                    "shortlist",
                    [programs.lossbench, "topk", *size, *threads],
                    is_ours=True,
                ),
                Competitor(
                    "the products alone, OpenBLAS",
                    [
                        programs.lossbench,
                        "floor",
                        "--of",
                        "topk",
                        *numbers(queries, items, width),
                        *threads,
                    ],
                    is_floor=True,
                ),
            ]
            if programs.peers:
                for who in ["faiss", "torch"]:
                    competitors.append(
                        Competitor(
                            {
                                "faiss": "faiss-cpu, flat",
                                "torch": "torch.topk(B @ Y.T)",
                            }[who],
                            [programs.peers, peer, "--who", who, *size],
                            torch_settings(programs),
                        )
                    )
            yield Question("Top-k", f"{queries:,} × {items:,}, k {k:,}", competitors, 3)


def scaling(programs: Programs, quick: bool) -> Iterator[Question]:
    """Time and memory against C, for the plot; SCE at ten million items with a row-sparse dY."""
    tokens, width = 6_400, 64
    peer = str(HERE / "peers" / "torch_losses.py")
    for items in (
        [10_000, 100_000] if quick else [10_000, 100_000, 1_000_000, 10_000_000]
    ):
        size = numbers(tokens, items, width)
        competitors = []
        for kind in ["ce", "sce", "rece"]:
            if kind == "ce" and items > 1_000_000:
                continue
            sparse = ["--row-sparse"] if kind == "sce" and items > 1_000_000 else []
            competitors.append(
                Competitor(
                    f"shortlist {kind}",
                    [
                        programs.lossbench,
                        "loss",
                        "--loss",
                        kind,
                        *size,
                        *sparse,
                        "--threads",
                        str(programs.threads),
                    ],
                    is_ours=True,
                )
            )
        if programs.peers:
            for kind in ["ce", "sce", "rece"]:
                if items > (100_000 if kind == "ce" else 1_000_000):
                    continue
                competitors.append(
                    Competitor(
                        f"torch {kind}",
                        [
                            programs.peers,
                            peer,
                            "--loss",
                            kind,
                            *size,
                            "--threads",
                            str(programs.threads),
                        ],
                    )
                )
        yield Question(
            "Time and memory against C",
            label(tokens, items, width),
            competitors,
            1,
            items,
        )


def threads(programs: Programs, quick: bool) -> Iterator[Question]:
    """The same work on one thread and on all."""
    tokens, items, width = SIZES[0] if quick else SIZES[1]
    for kind in ["sce", "rece"] if quick else ["sce", "rece", "ce"]:
        size = numbers(*(SIZES[0] if kind == "ce" else (tokens, items, width)))
        competitors = [
            Competitor(
                f"{count} thread{'s' if count > 1 else ''}",
                [
                    programs.lossbench,
                    "loss",
                    "--loss",
                    kind,
                    *size,
                    "--threads",
                    str(count),
                ],
                is_ours=count == programs.threads,
            )
            for count in sorted({1, programs.threads})
        ]
        yield Question(
            "Threads",
            f"{kind}, {label(*(SIZES[0] if kind == 'ce' else (tokens, items, width)))}",
            competitors,
            3,
        )


def workspace(programs: Programs, quick: bool) -> Iterator[Question]:
    """Exact cross-entropy under workspace limits."""
    if quick:
        return
    tokens, items, width = SIZES[0]
    competitors = [
        Competitor(
            f"limit {limit} MiB" if limit else "no limit",
            [
                programs.lossbench,
                "loss",
                "--loss",
                "ce",
                *numbers(tokens, items, width),
                "--threads",
                str(programs.threads),
                *(["--limit", str(limit)] if limit else []),
            ],
            is_ours=limit == 0,
        )
        for limit in [0, 4, 16, 64, 128, 256, 512, 1024]
    ]
    yield Question(
        "Exact cross-entropy against workspace",
        label(tokens, items, width),
        competitors,
        1,
    )


def epoch(programs: Programs, data: list[str], quick: bool) -> Iterator[Question]:
    """One training epoch of SASRec with SCE: the example program beside the same model in PyTorch on padded batches."""
    script = str(HERE / "peers" / "epoch.py")
    threads = ["--threads", str(programs.threads)]
    if quick:  # a padded epoch takes minutes
        return
    for path in data:
        competitors = [
            Competitor(
                "shortlist, packed",
                [
                    "python3",
                    script,
                    "--who",
                    "shortlist",
                    "--program",
                    programs.sasrec,
                    "--data",
                    path,
                    *threads,
                ],
                is_ours=True,
            )
        ]
        if programs.peers:
            competitors.append(
                Competitor(
                    "PyTorch, padded, 4 steps scaled",
                    [
                        programs.peers,
                        script,
                        "--who",
                        "torch",
                        "--steps",
                        "4",
                        "--data",
                        path,
                    ],
                    [["--pad", pad, *threads] for pad in ("max", "batch")],
                )
            )
        yield Question(
            "One training epoch of SASRec with SCE", Path(path).name, competitors, 2
        )
