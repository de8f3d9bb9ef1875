"""SCE and RECE as published (arXiv 2409.18721, arXiv 2408.02354), in eager PyTorch, with
directions that are handed in. Logits are stored, gradients are autograd's."""

from __future__ import annotations

import torch
from torch import Tensor


def sce(
    x: Tensor, y: Tensor, targets: Tensor, directions: Tensor, b_x: int, b_y: int
) -> tuple[Tensor, Tensor]:
    """(losses, covered): of each token the largest loss of its buckets."""
    with torch.no_grad():
        tokens = (directions @ x.T).topk(b_x, dim=1).indices
        items = (directions @ y.T).topk(b_y, dim=1).indices
    logits = x[tokens] @ y[items].transpose(1, 2)
    own = targets[tokens][:, :, None] == items[:, None, :]
    logits = logits.masked_fill(own, -torch.inf)
    positive = (x[tokens] * y[targets[tokens]]).sum(-1, keepdim=True)
    losses = torch.logsumexp(torch.cat([logits, positive], -1), -1) - positive[..., 0]
    best = x.new_full((len(x),), -torch.inf).scatter_reduce(
        0, tokens.flatten(), losses.flatten(), "amax"
    )
    return best, best > -torch.inf


def rece(
    x: Tensor,
    y: Tensor,
    targets: Tensor,
    directions: Tensor,
    neighbours: int,
    rounds: int,
) -> Tensor:
    """The loss of each token over the union of its rounds; the numbers of tokens and of
    items are multiples of the number of chunks, where the published padding does nothing
    and its cuts are the equal ones."""
    n, c = len(x), len(y)
    chunks = len(directions) // rounds
    assert n % chunks == 0 and c % chunks == 0
    seen = torch.zeros(n, c, dtype=torch.bool)
    with torch.no_grad():
        for r in directions.split(chunks):
            tokens = (x @ r.T).argmax(1).argsort(stable=True).view(chunks, -1)
            items = (y @ r.T).argmax(1).argsort(stable=True).view(chunks, -1)
            for chunk in range(chunks):
                near = items[max(0, chunk - neighbours) : chunk + neighbours + 1]
                seen[tokens[chunk][:, None], near.flatten()[None, :]] = True
    seen[torch.arange(n), targets] = True
    logits = (x @ y.T).masked_fill(~seen, -torch.inf)
    return torch.logsumexp(logits, 1) - logits[torch.arange(n), targets]
