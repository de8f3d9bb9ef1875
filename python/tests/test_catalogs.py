"""Catalogs in the place of items."""

from __future__ import annotations

import numpy as np
import pytest
import shortlist
from conftest import normal


def test_a_catalog_gives_what_its_arrays_give(rng: np.random.Generator) -> None:
    x, y, bias = normal(rng, 60, 8), normal(rng, 300, 8), normal(rng, 300)
    targets = rng.integers(0, 300, 60)
    catalog = shortlist.Catalog(y, bias)
    wanted = ("hidden", "catalog", "bias")
    for loss in (shortlist.cross_entropy, shortlist.sce, shortlist.rece):
        plain = loss(x, y, targets, item_bias=bias, gradients=wanted)
        known = loss(x, catalog, targets, gradients=wanted)
        assert known.loss == plain.loss
        assert np.array_equal(known.gradients.catalog, plain.gradients.catalog)
        assert np.array_equal(known.gradients.bias, plain.gradients.bias)
    assert np.array_equal(
        shortlist.top_k(x, catalog, 5).ids, shortlist.top_k(x, y, 5, item_bias=bias).ids
    )
    assert np.array_equal(
        shortlist.target_ranks(x, catalog, targets).ranks,
        shortlist.target_ranks(x, y, targets, item_bias=bias).ranks,
    )


def test_a_change_is_seen_after_an_update(rng: np.random.Generator) -> None:
    x, y = normal(rng, 60, 8), normal(rng, 300, 8)
    targets = rng.integers(0, 300, 60)
    catalog = shortlist.Catalog(y)
    y[[3, 5]] *= -4
    catalog.update([5, 3, 3])
    assert (
        shortlist.cross_entropy(x, catalog, targets).loss
        == shortlist.cross_entropy(x, y, targets).loss
    )
    y *= 0.5
    catalog.update()
    assert (
        shortlist.cross_entropy(x, catalog, targets).loss
        == shortlist.cross_entropy(x, y, targets).loss
    )
    with pytest.raises(shortlist.IndexOutOfRangeError):
        catalog.update([300])


def test_what_a_catalog_has_already_is_refused(rng: np.random.Generator) -> None:
    x, y = normal(rng, 6, 8), normal(rng, 30, 8)
    targets = rng.integers(0, 30, 6)
    catalog = shortlist.Catalog(y)
    with pytest.raises(ValueError, match="threads"):
        shortlist.cross_entropy(x, catalog, targets, threads=1)
    with pytest.raises(ValueError, match="item_bias"):
        shortlist.cross_entropy(x, catalog, targets, item_bias=normal(rng, 30))
    with pytest.raises(ValueError, match=r"\(30, 8\).*7"):
        shortlist.cross_entropy(x[:, :7].copy(), catalog, targets)
    catalog.release()
    with pytest.raises(shortlist.InvalidHandleError, match="released"):
        shortlist.cross_entropy(x, catalog, targets)
