"""Loss modules for PyTorch over output layers too large to materialise.

    from shortlist.torch import SCELoss

    criterion = SCELoss(items_per_bucket=256)
    loss = criterion(hidden, embedding.weight, targets)    # (B, L, d), (C, d), (B, L)
    loss.backward()

Each loss is a module and a function: `CrossEntropyLoss` and `cross_entropy`, `SCELoss` and
`sce`, `RECELoss` and `rece`; `given_candidates` is a function alone.
"""

from .functional import cross_entropy, given_candidates, rece, sce
from .modules import CrossEntropyLoss, RECELoss, SCELoss

__all__ = [
    "CrossEntropyLoss",
    "RECELoss",
    "SCELoss",
    "cross_entropy",
    "given_candidates",
    "rece",
    "sce",
]
