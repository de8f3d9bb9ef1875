"""Ranking metrics against their definitions on a full matrix of scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shortlist
from conftest import normal
from shortlist import metrics


def test_metrics_are_those_of_a_full_sort(rng: np.random.Generator) -> None:
    queries, items, bias = normal(rng, 50, 6), normal(rng, 200, 6), normal(rng, 200)
    bias[7] = -np.inf
    targets = rng.integers(10, 200, 50)
    excluded = [0, 3]
    seen = [rng.integers(10, 200, n).tolist() for n in rng.integers(0, 40, 50)]
    result = metrics.evaluate_ranking(
        queries,
        items,
        targets,
        ks=(1, 10),
        seen=seen,
        excluded_items=excluded,
        item_bias=bias,
    )
    scores = queries.astype(np.float64) @ items.T.astype(np.float64) + bias
    hits, gains, reciprocal = {1: 0, 10: 0}, {1: 0.0, 10: 0.0}, 0.0
    shown: dict[int, set[int]] = {1: set(), 10: set()}
    for q in range(50):
        gone = {*excluded, *seen[q], 7}
        listed = [i for i in np.argsort(-scores[q]) if i not in gone]
        with_target = [
            i for i in np.argsort(-scores[q]) if i not in gone - {int(targets[q])}
        ]
        rank = 1 + with_target.index(targets[q])
        assert result.ranks[q] == rank
        reciprocal += 1 / rank
        for k in (1, 10):
            hits[k] += rank <= k
            gains[k] += 1 / math.log2(1 + rank) if rank <= k else 0
            shown[k] |= set(listed[:k])
    for k in (1, 10):
        assert result.hr[k] == hits[k] / 50
        assert result.ndcg[k] == pytest.approx(gains[k] / 50, rel=1e-12)
        assert result.coverage[k] == len(shown[k]) / 197
    assert result.mrr == pytest.approx(reciprocal / 50, rel=1e-12)


def test_a_catalog_gives_the_same_metrics(rng: np.random.Generator) -> None:
    queries, items, bias = normal(rng, 20, 6), normal(rng, 90, 6), normal(rng, 90)
    bias[5] = -np.inf
    targets = rng.integers(10, 90, 20)
    plain = metrics.evaluate_ranking(queries, items, targets, item_bias=bias)
    known = metrics.evaluate_ranking(queries, shortlist.Catalog(items, bias), targets)
    assert (plain.hr, plain.coverage) == (known.hr, known.coverage)


def test_no_query_and_no_cut_off_are_errors(rng: np.random.Generator) -> None:
    items = normal(rng, 9, 3)
    none = np.empty(0, dtype=np.int64)
    with pytest.raises(ValueError, match="no query"):
        metrics.evaluate_ranking(np.empty((0, 3), np.float32), items, none)
    with pytest.raises(ValueError, match="ks"):
        metrics.evaluate_ranking(items, items, np.arange(9), ks=())
    with pytest.raises(ValueError, match="from 1"):
        metrics.mrr(np.array([0, 1]))
