"""The published SCE and RECE algorithms, and full cross-entropy, in PyTorch: time and peak memory of one loss at one
size, as one line of JSON. Written from the papers (arXiv 2409.18721, arXiv 2408.02354) for comparison."""

from __future__ import annotations

import argparse
import json
import math
import sys

import torch
import torch.nn.functional as F
from torch_device import TorchDevice


def sce(
    x: torch.Tensor, y: torch.Tensor, t: torch.Tensor, buckets: int, bx: int, by: int
) -> torch.Tensor:
    """Scalable cross-entropy with Mix directions: top-k over full projections, cross-entropy inside buckets."""
    n = x.shape[0]
    with torch.no_grad():
        omega = torch.randn(n, buckets, device=x.device) / math.sqrt(n)
        directions = omega.T @ x
        rows = (directions @ x.T).topk(bx, dim=1).indices
        items = (directions @ y.T).topk(by, dim=1).indices
    xb, yb = x[rows], y[items]
    logits = xb @ yb.transpose(1, 2)
    targets = t[rows]
    own = targets[:, :, None] == items[:, None, :]
    logits = logits.masked_fill(own, -torch.inf)
    positive = (xb * y[targets]).sum(-1, keepdim=True)
    loss = torch.logsumexp(torch.cat([logits, positive], -1), -1) - positive[..., 0]
    best = torch.full((n,), -torch.inf, device=x.device).scatter_reduce(
        0, rows.flatten(), loss.flatten(), "amax", include_self=True
    )
    covered = best > -torch.inf
    return best[covered].mean()


def rece(
    x: torch.Tensor, y: torch.Tensor, t: torch.Tensor, neighbours: int
) -> torch.Tensor:
    """Reduced cross-entropy, one round: hash, sort, equal chunks, a token chunk against neighbouring item chunks."""
    n, c = x.shape[0], y.shape[0]
    chunks = max(1, int(math.sqrt(4 * (1 + 2 * neighbours) * min(n, c))))
    with torch.no_grad():
        directions = torch.randn(chunks, x.shape[1], device=x.device)
        order_x = (x @ directions.T).argmax(1).argsort(stable=True)
        order_y = (y @ directions.T).argmax(1).argsort(stable=True)
        pad_x, pad_y = -n % chunks, -c % chunks
        order_x = torch.cat([order_x, order_x[:pad_x]]).view(chunks, -1)
        order_y = torch.cat([order_y, order_y[:pad_y]]).view(chunks, -1)
        shifts = [order_y.roll(s, 0) for s in range(-neighbours, neighbours + 1)]
        items = torch.cat(shifts, 1)
    xb, yb = x[order_x], y[items]
    logits = xb @ yb.transpose(1, 2)
    targets = t[order_x]
    logits = logits.masked_fill(targets[:, :, None] == items[:, None, :], -torch.inf)
    positive = (xb * y[targets]).sum(-1, keepdim=True)
    loss = torch.logsumexp(torch.cat([logits, positive], -1), -1) - positive[..., 0]
    return loss.mean()


def cross_entropy(x: torch.Tensor, y: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Full cross-entropy over all N × C logits."""
    return F.cross_entropy(x @ y.T, t)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--loss", choices=["sce", "rece", "ce", "linear_ce"], required=True
    )
    for name in ("tokens", "items", "width"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--how", choices=["eager", "compile"], default="eager")
    parser.add_argument(
        "--chunk",
        type=int,
        help="linear_ce: tokens at a time; PyTorch's choice without",
    )
    parser.add_argument("--bucket-items", type=int, default=256, help="sce: b_y")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda with an index")
    options = parser.parse_args()
    device = TorchDevice(options.device)
    if options.loss == "linear_ce" and not hasattr(F, "linear_cross_entropy"):
        sys.exit(f"PyTorch {torch.__version__} has no F.linear_cross_entropy; 2.13 has")
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    where = {"requires_grad": True, "device": options.device}
    x = torch.randn(options.tokens, options.width, **where)
    y = torch.randn(options.items, options.width, **where)
    t = torch.arange(options.tokens, device=options.device) * 7919003 % options.items
    x.grad, y.grad = torch.ones_like(x), torch.ones_like(y)
    root = int(2 * math.sqrt(options.tokens))

    compiled = torch.compile if options.how == "compile" else lambda function: function
    run_sce, run_rece = compiled(sce), compiled(rece)
    run_ce = compiled(cross_entropy)
    by = min(options.bucket_items, options.items)

    def loss() -> torch.Tensor:
        if options.loss == "sce":
            return run_sce(x, y, t, root, min(root, options.tokens), by)
        if options.loss == "rece":
            return run_rece(x, y, t, 1)
        if options.loss == "linear_ce":
            chunking = {"chunking_method": None, "batch_chunk_size": options.chunk}
            return F.linear_cross_entropy(
                x,
                y,
                t,
                options=torch.nn.LinearCrossEntropyOptions(
                    **(chunking if options.chunk else {})
                ),
            )
        return run_ce(x, y, t)

    def backward() -> torch.Tensor:
        value = loss()
        value.backward()
        return value

    def clear() -> None:
        x.grad.zero_()
        y.grad.zero_()

    measured = device.measure(backward, options.repeats, before_each=clear)
    print(
        json.dumps(
            {
                "loss": f"torch_{options.loss}",
                "tokens": options.tokens,
                "items": options.items,
                "width": options.width,
                "threads": options.threads,
                **measured,
            }
        )
    )


if __name__ == "__main__":
    main()
