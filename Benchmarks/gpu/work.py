"""Sizes, the floating-point operations of their products by stage, and who answers each question."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from suite.measure import Competitor
from suite.questions import label, numbers

# The stages of a report that products fall into.
SELECT, SCORE, GRADIENT = "select", "score", "gradient"


@dataclass(frozen=True)
class Size:
    kind: str
    tokens: int
    items: int
    width: int
    bucket_items: int = 256
    k: int = 0

    @property
    def text(self) -> str:
        return label(self.tokens, self.items, self.width) + (
            f", k {self.k:,}" if self.k else ""
        )


FULL = [
    Size("sce", 102_400, 1_000_000, 64),
    Size("rece", 102_400, 1_000_000, 64),
    *(
        Size("ce", 8_192, items, width)
        for items in (262_144, 1_000_000)
        for width in (64, 256)
    ),
    *(Size("topk", 640, 1_000_000, 64, k=k) for k in (1, 256, 4_096)),
]
# A software device does about 0.6 GFLOP/s.
SMALL = [
    Size("sce", 1_024, 4_096, 16, bucket_items=64),
    Size("rece", 1_024, 4_096, 16),
    *(Size("ce", 128, items, width) for items in (1_024, 2_048) for width in (16, 64)),
    *(Size("topk", 64, 8_192, 16, k=k) for k in (1, 16, 256)),
]
TITLES = {
    "sce": "SCE, forward and backward",
    "rece": "RECE, n_ec 1, one round, forward and backward",
    "ce": "Full cross-entropy, forward and backward",
    "topk": "Exact top-k",
}


@dataclass(frozen=True)
class Product:
    """Products of one stage: what they are and how many floating-point operations they take."""

    stage: str
    what: str
    flops: float
    is_needed: bool = True
    """False for work that a plan repeats by choice: it has a floor of its own and is not useful work."""


def products(size: Size) -> list[Product]:
    """What the mathematics asks for. n_b = b_x = 2√N for SCE, n_b = n_c = √(12·min(N, C)) for RECE: the defaults of
    the library and of the published code."""
    n, c, d = size.tokens, size.items, size.width
    if size.kind == "topk":
        return [Product(SELECT, "Q·Yᵀ", 2.0 * n * c * d)]
    if size.kind == "ce":
        one = 2.0 * n * c * d
        return [
            Product(SCORE, "logits", one),
            Product(GRADIENT, "dX, dY", 2 * one),
            Product(GRADIENT, "logits again", one, is_needed=False),
        ]
    if size.kind == "rece":
        buckets = max(1, int(math.sqrt(12 * min(n, c))))
        pairs = n * 3.0 * math.ceil(c / buckets)
        return [
            Product(SELECT, "B·Xᵀ", 2.0 * buckets * n * d),
            Product(SELECT, "B·Yᵀ", 2.0 * buckets * c * d),
            Product(SCORE, "blocks forward", 2 * pairs * d),
            Product(GRADIENT, "dX, dY of blocks", 4 * pairs * d),
            Product(GRADIENT, "logits of blocks again", 2 * pairs * d, is_needed=False),
        ]
    buckets = max(1, int(2 * math.sqrt(n)))
    by = min(size.bucket_items, c)
    pairs = float(buckets) * min(buckets, n) * by
    # A token's gradient flows through one of its blocks alone.
    winners = min(pairs, float(n) * by)
    return [
        Product(SELECT, "B·Xᵀ", 2.0 * buckets * n * d),
        Product(SELECT, "B·Yᵀ", 2.0 * buckets * c * d),
        Product(SCORE, "blocks forward", 2 * pairs * d),
        Product(GRADIENT, "dX, dY of winners (at most)", 4 * winners * d),
        Product(
            GRADIENT,
            "logits of winners again (at most)",
            2 * winners * d,
            is_needed=False,
        ),
    ]


@dataclass(frozen=True)
class Programs:
    root: Path
    device: int
    """Of the backend vulkan."""
    peers: str | None
    """A Python with PyTorch."""
    torch_device: str
    threads: int
    is_small: bool


@dataclass(frozen=True)
class Asked:
    size: Size
    competitors: list[Competitor] = field(default_factory=list)


def ask(programs: Programs, size: Size) -> Asked:
    """One question: ours first, then what PyTorch has for it."""
    sizes = numbers(size.tokens, size.items, size.width)
    bucket = ["--bucket-items", str(size.bucket_items)] if size.kind == "sce" else []
    threads = ["--threads", str(programs.threads)]
    program = str(programs.root / "bin" / "lossbench")
    on = ["--backend", "vulkan", "--device", str(programs.device), *threads]
    found: list[Competitor] = []
    if size.kind == "topk":
        ours = [program, "topk", *sizes, "--k", str(size.k), *on]
        found.append(Competitor("Shortlist", ours, is_ours=True))
    else:
        ours = [program, "loss", "--loss", size.kind, *sizes, *bucket, *on]
        if size.kind == "sce":
            found.append(
                Competitor("Shortlist, dY by rows", [*ours, "--row-sparse"], [[]], True)
            )
            found.append(Competitor("Shortlist, dense dY", ours))
        else:
            found.append(Competitor("Shortlist, dense dY", ours, is_ours=True))
    if programs.peers:
        found += torch(programs, size, [*sizes, *bucket, *threads])
    return Asked(size, found)


def torch(programs: Programs, size: Size, arguments: list[str]) -> list[Competitor]:
    device = ["--device", programs.torch_device]
    peers = programs.root / "peers"
    if size.kind == "topk":
        script = [str(programs.peers), str(peers / "retrieval.py"), *arguments, *device]
        k = ["--k", str(size.k)]
        return [
            Competitor("torch.topk(Q @ Yᵀ)", [*script, "--who", "torch", *k]),
            Competitor("torch, Q @ Yᵀ alone", [*script, "--who", "product", *k]),
        ]
    script = [str(programs.peers), str(peers / "torch_losses.py"), *arguments, *device]
    if size.kind != "ce":
        how = ["--loss", size.kind]
        return [
            Competitor("torch eager", [*script, *how]),
            Competitor("torch.compile", [*script, *how, "--how", "compile"]),
        ]
    chunks = (256,) if programs.is_small else (256, 1_024, 2_048, 4_096)
    settings = [[], *(["--chunk", str(chunk)] for chunk in chunks)]
    cross_entropy = [*script, "--loss", "ce"]
    return [
        Competitor(
            "F.linear_cross_entropy", [*script, "--loss", "linear_ce"], settings
        ),
        Competitor("F.cross_entropy", cross_entropy),
        Competitor("F.cross_entropy, compiled", [*cross_entropy, "--how", "compile"]),
    ]
