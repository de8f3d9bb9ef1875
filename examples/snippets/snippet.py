"""The NumPy snippet of README.md: `Tools/check-snippets` holds the two to each other, and
the tests run it."""

# ruff: noqa: I001

from __future__ import annotations

import sys

# snippet begin
import numpy as np
import shortlist
from shortlist.metrics import evaluate_ranking

random = np.random.default_rng(0)
hidden = random.standard_normal((400, 32), dtype=np.float32)  # N × d
items = random.standard_normal((50_000, 32), dtype=np.float32)  # C × d
targets = random.integers(0, 50_000, 400)

for step in range(5):
    result = shortlist.sce(
        hidden, items, targets, seed=7, step=step, gradients=("hidden", "catalog_rows")
    )
    ids, rows, _ = result.gradients.catalog_rows  # a sliver of the catalog
    items[ids] -= 10 * rows
    hidden -= 10 * result.gradients.hidden
    print(f"step {step}: loss {result.loss:.4f}, {len(ids)} rows")

ranking = evaluate_ranking(hidden, items, targets, ks=(10,))
print(f"HR@10 {ranking.hr[10]:.3f}, MRR {ranking.mrr:.3f}")
# snippet end

if not ranking.mrr > 0.001:
    sys.exit("the targets did not move up")
