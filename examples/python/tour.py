"""A tour of the package, from a first loss to ranking metrics; runs in seconds.

    python tour.py

Every section prints what it shows. NumPy comes first, PyTorch after it.
"""

from __future__ import annotations

import numpy as np
import shortlist
import torch
from reporting import table
from shortlist import metrics
from shortlist.torch import CrossEntropyLoss, RECELoss, SCELoss
from torch import nn


def section(title: str) -> None:
    print(f"\n== {title}")


def main() -> None:
    draw = np.random.default_rng(0)
    hidden = draw.standard_normal((1000, 64), dtype=np.float32)
    items = draw.standard_normal((100_000, 64), dtype=np.float32) * np.float32(0.3)
    targets = draw.integers(0, 100_000, 1000)

    section("Where it runs")
    for device in shortlist.backends():
        state = "can run" if device.available else "cannot run"
        print(
            f"{device.backend} {device.index}: {device.device}, {state}: {device.reason}"
        )

    section(
        "Three losses over 100,000 items, none of which stores 1000 x 100,000 logits"
    )
    rows = []
    losses = (shortlist.cross_entropy, shortlist.sce, shortlist.rece)
    wanted = ("hidden", "catalog")
    exact = None
    for loss in losses:
        result = loss(hidden, items, targets, gradients=wanted)
        report, gradient = result.report, result.gradients.catalog
        exact = gradient if exact is None else exact
        product = float((gradient * exact).sum(dtype=np.float64))
        norms = float(np.linalg.norm(gradient) * np.linalg.norm(exact))
        rows.append(
            [
                loss.__name__,
                f"{result.loss:.3f}",
                f"{report.candidate_logits / report.tokens_counted:,.0f}",
                f"{product / norms:.3f}",
                f"{report.seconds_total * 1e3:.0f} ms",
                f"{report.workspace_used / 1e6:.1f} MB",
            ]
        )
    header = ["loss", "value", "logits/token", "cosine of catalog gradient"]
    print(table([*header, "time", "workspace"], rows))

    section("A row-sparse gradient: only the rows that the loss touched")
    result = shortlist.sce(hidden, items, targets, gradients=("catalog_rows",))
    touched = result.gradients.catalog_rows
    assert touched is not None
    print(f"{len(touched.ids):,} of {len(items):,} rows, first ids {touched.ids[:5]}")

    section("The same seed and step, the same selection; the next step, another")
    for step in (0, 0, 1):
        value = shortlist.sce(hidden, items, targets, seed=7, step=step).loss
        print(f"step {step}: {value:.6f}")

    section("A workspace limit is obeyed, or refused with what is needed")
    limited = shortlist.sce(hidden, items, targets, workspace_limit=1_000_000)
    print(f"1,000,000 allowed, {limited.report.workspace_used:,} bytes used")
    try:
        shortlist.sce(hidden, items, targets, workspace_limit=1000)
    except shortlist.WorkspaceLimitError as error:
        print(f"1,000 allowed: {error.status_name}, {error.need:,} needed")

    section("Forward now, gradients later, and the selection itself")
    state = shortlist.sce(hidden, items, targets, keep_state=True).state
    assert state is not None
    with state:
        tokens, chosen = state.selection().blocks()[0]
        print(f"bucket 0 holds {len(tokens)} tokens and {len(chosen)} items")
        gradients = state.backward(("hidden",), upstream=0.5).gradients
        assert gradients.hidden is not None
        print(f"|dL/d hidden| {np.linalg.norm(gradients.hidden):.5f}")

    section("Retrieval and metrics, seen items removed, without a matrix of scores")
    queries = items[targets] + hidden * np.float32(0.3)
    seen = [draw.integers(0, 100_000, 20).tolist() for _ in targets]
    best = shortlist.top_k(queries, items, 3, seen=seen)
    print(f"best items of query 0: {best.ids[0]}, its target {targets[0]}")
    found = metrics.evaluate_ranking(queries, items, targets, ks=(1, 10), seen=seen)
    print(f"HR@1 {found.hr[1]:.3f}, NDCG@10 {found.ndcg[10]:.3f}, MRR {found.mrr:.3f}")

    section("PyTorch: a loss module in the place of torch.nn.CrossEntropyLoss")
    torch.manual_seed(0)
    head = nn.Parameter(torch.from_numpy(items))
    encoder = nn.Linear(64, 64)
    rows = []
    for criterion in (CrossEntropyLoss(), SCELoss(sparse_grad=True), RECELoss()):
        states = encoder(torch.from_numpy(hidden)).view(10, 100, 64)
        head.grad = None
        loss = criterion(states, head, torch.from_numpy(targets).view(10, 100))
        loss.backward()
        assert head.grad is not None
        layout = "sparse" if head.grad.is_sparse else "dense"
        rows.append([type(criterion).__name__, f"{loss.item():.3f}", layout])
    print(table(["module", "loss", "gradient of weight"], rows))


if __name__ == "__main__":
    main()
