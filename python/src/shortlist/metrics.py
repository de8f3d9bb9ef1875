"""Ranking metrics from hidden states and catalog, without a matrix of scores.

    from shortlist.metrics import evaluate_ranking

    result = evaluate_ranking(hidden, items, targets, ks=(10,), seen=histories)
    result.hr[10], result.ndcg[10], result.mrr, result.coverage[10]

Each query has one target. `hit_rate`, `ndcg`, `mrr` and `coverage` take ranks or item
numbers that are there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._arrays import Array, Int64Array, view
from ._catalog import Catalog
from ._retrieval import plain, target_ranks, top_k

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._retrieval import QueryOptions

__all__ = [
    "RankingMetrics",
    "coverage",
    "evaluate_ranking",
    "hit_rate",
    "mrr",
    "ndcg",
]


@dataclass(frozen=True)
class RankingMetrics:
    """Means over the queries; `hr`, `ndcg` and `coverage` by cut-off."""

    hr: dict[int, float]
    """The share of targets among the first k."""
    ndcg: dict[int, float]
    """The mean of 1 / log2(1 + rank) for ranks up to k, else 0."""
    mrr: float
    """The mean of 1 / rank, over the whole catalog."""
    coverage: dict[int, float]
    """The share of the items that are not excluded that stand in some query's first k;
    empty if it was not asked for."""
    ranks: Int64Array
    """(Q,) int64: the rank of each target, from 1."""


def evaluate_ranking(
    hidden: Array,
    items: Array | Catalog,
    targets: Array,
    *,
    ks: Sequence[int] = (10,),
    with_coverage: bool = True,
    **options: Unpack[QueryOptions],
) -> RankingMetrics:
    """HR, NDCG, MRR and coverage of the ranking of all items for each hidden state.

    Two streaming passes of 2·Q·C·d flops, one for the ranks and one for coverage, each in a
    small workspace; no Q × C scores are stored.

    Args:
        hidden: (Q, d) float32, the queries.
        items: (C, d) float32, or a `Catalog`.
        targets: (Q,) int32 or int64, one item for each query.
        ks: cut-offs.
        with_coverage: False saves the second pass.
        **options: `QueryOptions`; items in `seen` are removed from a query's ranking, its
            own target never.

    Arrays, errors and threads as for `shortlist.cross_entropy`. No queries is a `ValueError`.
    """
    if not ks or min(ks) < 1:
        raise ValueError(f"ks is {tuple(ks)}; wanted cut-offs of 1 or more")
    ranks = target_ranks(hidden, items, targets, **options).ranks
    covered: dict[int, float] = {}
    if with_coverage:
        ids = top_k(hidden, items, max(ks), **options).ids
        count = _selectable(items, options)
        covered = {k: coverage(ids[:, :k], count) for k in ks}
    return RankingMetrics(
        {k: hit_rate(ranks, k) for k in ks},
        {k: ndcg(ranks, k) for k in ks},
        mrr(ranks),
        covered,
        ranks,
    )


def hit_rate(ranks: Array, k: int) -> float:
    """The share of ranks (whole numbers from 1) up to k."""
    return float(np.mean(_ranks(ranks) <= k))


def ndcg(ranks: Array, k: int) -> float:
    """Normalised discounted cumulative gain at k, one relevant item a query."""
    found = _ranks(ranks)
    return float(np.mean(np.where(found <= k, 1 / np.log2(1.0 + found), 0.0)))


def mrr(ranks: Array) -> float:
    """The mean reciprocal rank."""
    return float(np.mean(1 / _ranks(ranks)))


def coverage(ids: Array, item_count: int) -> float:
    """The share of `item_count` items that stand in `ids` ((Q, k), −1 for none)."""
    if item_count < 1:
        raise ValueError(f"item_count is {item_count}; wanted 1 or more")
    found = np.unique(view(ids, "ids"))
    return float(np.count_nonzero(found >= 0) / item_count)


def _ranks(value: Any) -> NDArray[Any]:
    ranks = view(value, "ranks")
    if ranks.size == 0:
        raise ValueError("ranks is empty: metrics of no query have no value")
    if not np.issubdtype(ranks.dtype, np.integer) or ranks.min() < 1:
        raise ValueError("ranks must be whole numbers from 1")
    return ranks


def _selectable(items: Any, options: Any) -> int:
    """How many items can be recommended at all: not excluded, no bias of minus infinity."""
    catalog = isinstance(items, Catalog)
    count = items.shape[0] if catalog else view(plain(items), "items").shape[0]
    free = np.ones(count, dtype=bool)
    excluded = options.get("excluded_items")
    if excluded is not None:
        free[np.asarray(excluded, dtype=np.int64)] = False
    bias = items.item_bias if catalog else options.get("item_bias")
    if bias is not None:
        free &= view(plain(bias), "item_bias") != -np.inf
    return int(np.count_nonzero(free))
