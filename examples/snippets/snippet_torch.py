"""The PyTorch snippet of README.md: `Tools/check-snippets` holds the two to each other, and
the tests run it."""

# ruff: noqa: I001

from __future__ import annotations

import sys

# snippet begin
import torch
from shortlist.torch import SCELoss

item_count, batch, length, width = 50_000, 32, 50, 64
embedding = torch.nn.Embedding(item_count, width)
encoder = torch.nn.GRU(width, width, batch_first=True)
criterion = SCELoss(items_per_bucket=256)  # was: torch.nn.CrossEntropyLoss()
optimizer = torch.optim.Adam([*embedding.parameters(), *encoder.parameters()])

for step in range(3):
    history = torch.randint(0, item_count, (batch, length + 1))
    hidden, _ = encoder(embedding(history[:, :-1]))  # (B, L, d)
    # was: criterion((hidden @ embedding.weight.T).flatten(0, 1), history[:, 1:].flatten())
    loss = criterion(hidden, embedding.weight, history[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.4f}")
# snippet end

if embedding.weight.grad is None or not embedding.weight.grad.any():
    sys.exit("the embedding has no gradient")
