"""The Python snippet of README.md: `Tools/check-snippets` holds the two to each other,
and the tests run it with the library's path as its argument."""

# ruff: noqa: E402, I001

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
path = sys.argv[1]

# snippet begin
import numpy as np
from shortlist_ctypes import SCE, Batch, Library

random = np.random.default_rng(0)
hidden = random.standard_normal((400, 32), dtype=np.float32)  # N × d
items = random.standard_normal((50_000, 32), dtype=np.float32)  # C × d
targets = random.integers(0, 50_000, 400, dtype=np.int64)

with Library(path).context() as context:
    for step in range(5):
        result = context.evaluate(
            SCE(items_per_bucket=256, seed=7, step=step),
            Batch(hidden, targets, items),
            gradients=("hidden", "rows"),
        )
        items[result.row_ids] -= 10 * result.catalog_gradient
        hidden -= 10 * result.hidden_gradient
        print(f"step {step}: loss {result.loss:.4f}, {len(result.row_ids)} rows")
    ranks = context.target_ranks(hidden, targets, items)
print(f"HR@10 {np.mean(ranks <= 10):.3f}, MRR {np.mean(1 / ranks):.3f}")
# snippet end

if not np.mean(1 / ranks) > 0.001:
    sys.exit("the targets did not move up")
