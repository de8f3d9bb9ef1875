"""SASRec (arXiv 1808.09781) in PyTorch, on padded batches.

Two arrangements of norms and residuals:

- ``pre``: each half of a block is ``x + f(norm(x))``, as transformers are built today;
- ``published``: as the popular PyTorch code for SASRec has it: the attention's query is
  ``q = norm(x)``, its keys and values are x, and the residual starts from q; the
  feed-forward half starts from ``norm(x)`` and its residual too.

Padding is never attended to, and positions are counted back from the newest item, so that
the same history has the same hidden states however far it is padded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn


class Block(nn.Module):
    """Causal self-attention and a position-wise network of the same width."""

    def __init__(self, width: int, heads: int, dropout: float, norm: str) -> None:
        super().__init__()
        self.heads, self.norm, self.rate = heads, norm, dropout
        self.attention_norm = nn.LayerNorm(width, eps=1e-8)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.network_norm = nn.LayerNorm(width, eps=1e-8)
        self.network = nn.Sequential(
            nn.Linear(width, width),
            nn.Dropout(dropout),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.Dropout(dropout),
        )

    def attend(self, queries: Tensor, others: Tensor) -> Tensor:
        def split(x: Tensor) -> Tensor:
            return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        # Padding stands behind the history, where no item of the history looks.
        mixed = F.scaled_dot_product_attention(
            split(self.query(queries)),
            split(self.key(others)),
            split(self.value(others)),
            dropout_p=self.rate if self.training else 0.0,
            is_causal=True,
        )
        mixed_out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return mixed_out

    def forward(self, x: Tensor) -> Tensor:
        normed = self.attention_norm(x)
        if self.norm == "pre":
            x = x + self.attend(normed, normed)
            return x + self.network(self.network_norm(x))
        x = normed + self.attend(normed, x)
        normed = self.network_norm(x)
        return normed + self.network(normed)


class SASRec(nn.Module):
    """Hidden states of histories; the item embedding is the output layer too.

    Args:
        item_count: items are 1 … item_count, 0 is padding.
    """

    def __init__(
        self,
        item_count: int,
        width: int = 64,
        blocks: int = 2,
        heads: int = 1,
        max_length: int = 200,
        dropout: float = 0.2,
        norm: str = "pre",
    ) -> None:
        super().__init__()
        self.max_length = max_length
        self.items = nn.Embedding(item_count + 1, width, padding_idx=0)
        self.positions = nn.Embedding(max_length, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(width, heads, dropout, norm) for _ in range(blocks)
        )
        self.last_norm = nn.LayerNorm(width, eps=1e-8)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_normal_(parameter)
        with torch.no_grad():
            self.items.weight[0] = 0

    def forward(self, histories: Tensor, lengths: Tensor) -> Tensor:
        """(B, L, d) hidden states.

        Args:
            histories: (B, L) int64, oldest item first, 0 behind the newest.
            lengths: (B,) int64, the number of items of each.
        """
        x = self.items(histories) * math.sqrt(self.items.embedding_dim)
        places = torch.arange(histories.shape[1], device=histories.device)
        back = (lengths[:, None] - 1 - places).clamp(min=0)
        x = self.dropout(x + self.positions(back))
        for block in self.blocks:
            x = block(x)
        hidden: Tensor = self.last_norm(x)
        return hidden


def padded(
    histories: Sequence[NDArray[np.int32]], max_length: int, pad_to: int | None = None
) -> tuple[Tensor, Tensor]:
    """The newest `max_length` items of each history as (B, L) int64, and their numbers.

    L is `pad_to`, or the longest of these histories.
    """
    cut = [history[-max_length:] for history in histories]
    lengths = torch.tensor([len(history) for history in cut])
    batch = np.zeros((len(cut), pad_to or int(lengths.max())), dtype=np.int64)
    for row, history in zip(batch, cut):
        row[: len(history)] = history
    return torch.from_numpy(batch), lengths
