"""Every loss and gradient against NumPy in float64, on random cases of awkward sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shortlist
from numpy.typing import NDArray
from reference import (
    Batch,
    Reference,
    Shortlists,
    compare_gradients,
    compare_losses,
    gradients,
)
from shortlist import LossResult, Selection

Evaluate = Callable[..., LossResult]


def random_batch(rng: np.random.Generator) -> Batch:
    """Awkward sizes, and any of the options."""

    def size(*sizes: int) -> int:
        return int(rng.choice(sizes))

    tokens, items = size(1, 2, 13, 64, 129, 257), size(2, 13, 127, 300, 700)
    width = size(1, 3, 8, 17, 33)
    spread = float(rng.choice([0.3, 1.0, 3.0])) / np.sqrt(width)

    def matrix(rows: int, scale: float) -> NDArray[np.float32]:
        wide = rng.normal(size=(rows, width + size(0, 3))) * scale
        return wide.astype(np.float32)[:, :width]

    hidden = matrix(tokens, 1.0)
    kind = str(rng.choice(["int32", "int64"]))
    targets = rng.integers(0, items, size=tokens).astype(kind)
    batch = Batch(hidden, matrix(items, spread), targets)
    if rng.random() < 0.5:
        batch.item_bias = rng.normal(size=items).astype(np.float32)
    if rng.random() < 0.5:
        batch.weights = rng.random(size=tokens).astype(np.float32)
        batch.weights[rng.random(size=tokens) < 0.1] = 0
    if rng.random() < 0.4:
        batch.ignore_index = -7
        batch.targets[rng.random(size=tokens) < 0.2] = -7
    if rng.random() < 0.4:
        free = np.setdiff1d(np.arange(items), batch.targets)
        batch.excluded_items = [int(i) for i in free[: size(1, 5)]]
    if batch.item_bias is not None and rng.random() < 0.3:
        free = np.setdiff1d(np.arange(items), batch.targets)
        batch.item_bias[free[-2:]] = -np.inf
    batch.scale = float(rng.choice([1.0, 0.37, 2.5]))
    batch.reduction = str(rng.choice(["mean", "sum", "none"]))
    if batch.reduction == "mean" and rng.random() < 0.3:
        batch.denominator = 11.5
    return batch


def random_upstream(rng: np.random.Generator, batch: Batch) -> Any:
    if batch.reduction == "none":
        return rng.normal(size=len(batch.hidden)).astype(np.float32)
    return float(np.float32(rng.normal()))


def random_selection(rng: np.random.Generator, batch: Batch) -> Selection:
    """Ragged blocks with repeats of items, empty blocks, and perhaps log-weights."""
    tokens, items = len(batch.hidden), len(batch.items)
    blocks = int(rng.integers(1, 6))
    chosen = Selection.of(
        (
            rng.permutation(tokens)[: rng.integers(0, tokens + 1)].astype(np.int32),
            rng.integers(0, items, size=rng.integers(0, 2 * items)).astype(np.int32),
        )
        for _ in range(blocks)
    )
    if rng.random() < 0.5:
        weights = rng.normal(size=chosen.items.size).astype(np.float32)
        chosen = chosen._replace(log_weights=weights)
    if rng.random() < 0.5:
        flags = (rng.random(blocks) < 0.5).astype(np.uint8)
        chosen = chosen._replace(contributes_to_catalog_gradient=flags)
    return chosen


def random_options(
    kind: str, rng: np.random.Generator, batch: Batch, seed: int
) -> tuple[Evaluate, dict[str, Any], str]:
    """A function of the package, its options, and the combination of its blocks."""
    buckets = int(rng.choice([0, 1, 5]))
    if kind == "cross entropy":
        return shortlist.cross_entropy, {}, ""
    if kind.startswith("sce"):
        options = {
            "bucket_count": buckets,
            "tokens_per_bucket": int(rng.choice([0, 3, 10_000])),
            "items_per_bucket": int(rng.choice([1, 7, 64, 10_000])),
            "directions": str(rng.choice(["mix", "gaussian"])),
            "combination": kind.split()[1],
            "seed": seed,
            "step": 3,
        }
        return shortlist.sce, options, kind.split()[1]
    if kind == "rece":
        options = {
            "bucket_count": buckets,
            "neighbour_chunks": int(rng.choice([0, 1, 2])),
            "rounds": int(rng.choice([1, 2, 4])),
            "seed": seed,
        }
        return shortlist.rece, options, "union"
    combination = kind.split()[1]
    options = {
        "selection": random_selection(rng, batch),
        "combination": combination,
    }
    return shortlist.given_candidates, options, combination


def check_winners(
    reference: Reference, selection: Selection, lists: Shortlists
) -> None:
    """The winning block has the largest loss, but for rounding."""
    won = reference.terms(lists)[0]
    bound = 1e-5 * won + 2 * reference.logit_error
    for block, pair in enumerate(selection.blocks()):
        weights = selection.log_weights
        if weights is not None:
            start = int(selection.item_offsets[block])
            weights = weights[start : start + pair[1].size]
        single = Selection.of([pair])._replace(log_weights=weights)
        alone = reference.blocks(single, "union")
        loss = reference.terms(alone)[0]
        assert np.all(loss[alone.counted] <= (won + bound)[alone.counted]), (
            f"block {block} has a larger loss than the winner"
        )


KINDS = ("cross entropy", "sce max", "sce union", "rece", "given max", "given union")


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_gradients_are_those_of_numpy(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    batch = random_batch(rng)
    evaluate, options, combination = random_options(kind, rng, batch, seed)
    reference = Reference(batch)
    upstream = random_upstream(rng, batch)
    form = "catalog_rows" if rng.random() < 0.5 else "catalog"
    wanted = ("hidden", form, "bias", "scale")

    once = evaluate(
        **batch.keywords,
        **options,
        gradients=wanted,
        upstream=upstream,
        per_token=True,
    )
    twice = evaluate(
        **batch.keywords,
        **options,
        gradients=wanted,
        upstream=upstream,
        per_token=True,
        keep_state=True,
    )
    state = twice.state
    assert state is not None
    with state:
        if kind == "cross entropy":
            lists = reference.everything()
        else:
            selection = options.get("selection") or state.selection()
            winners = state.winners() if combination == "max" else None
            lists = reference.blocks(selection, combination, winners)
            if combination == "max":
                check_winners(reference, selection, lists)
            if kind == "rece":
                lists.counted = reference.valid
    expected = gradients(reference, lists, np.asarray(upstream, dtype=np.float64))
    for result in (once, twice):
        compare_losses(reference, lists, result)
        compare_gradients(result.gradients, expected, len(batch.items))
    assert np.array_equal(once.gradients.hidden, twice.gradients.hidden)


def test_a_selection_that_is_given_back_gives_the_same_bits(
    rng: np.random.Generator,
) -> None:
    batch = Batch(
        rng.normal(size=(200, 17)).astype(np.float32),
        rng.normal(size=(700, 17)).astype(np.float32),
        rng.integers(0, 700, size=200).astype(np.int32),
    )
    wanted = ("hidden", "catalog")
    for combination in ("max", "union"):
        before = shortlist.sce(
            **batch.keywords,
            items_per_bucket=20,
            combination=combination,
            seed=9,
            gradients=wanted,
            keep_state=True,
        )
        assert before.state is not None
        after = shortlist.given_candidates(
            **batch.keywords,
            selection=before.state.selection(),
            combination=combination,
            gradients=wanted,
        )
        assert before.loss == after.loss
        assert np.array_equal(before.gradients.hidden, after.gradients.hidden)
        assert np.array_equal(before.gradients.catalog, after.gradients.catalog)


def test_the_reference_is_its_own_derivative(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(9, 3))
    batch = Batch(
        x.astype(np.float32),
        y.astype(np.float32),
        rng.integers(0, 9, size=5),
        item_bias=rng.normal(size=9).astype(np.float32),
        weights=rng.random(size=5).astype(np.float32),
        scale=0.75,
    )
    base = Reference(batch)
    lists = base.blocks(Selection.of([(range(5), range(4, 9))]), "union")
    slope = gradients(base, lists, 1.5)

    def value(name: str, place: tuple[int, ...], step: float) -> float:
        moved = Reference(replace(batch))
        if name == "scale":
            moved.scale += step
        else:
            array = {"hidden": moved.x, "catalog": moved.y, "bias": moved.bias}[name]
            array[place] += step
        moved.products = moved.x @ moved.y.T
        moved.logits = moved.scale * moved.products + moved.bias
        return float(np.sum(moved.weights(lists, 1.5) * moved.terms(lists)[0]))

    for name, expected in slope.items():
        for place in np.ndindex(expected.value.shape):
            rise = value(name, place, 1e-5) - value(name, place, -1e-5)
            assert abs(rise / 2e-5 - expected.value[place]) < 1e-8, (name, place)
