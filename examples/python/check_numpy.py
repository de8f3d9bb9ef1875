"""Holds libshortlist to a computation in NumPy float64 that shares nothing with it.

    python check_numpy.py [LIBRARY] [--cases N] [--seed S]

The reference below is the definition of the losses, written with N x C matrices: what
the library never stores. Selections come from the library where they are random (and
are exported through the C interface); on small whole numbers, where float32 is exact,
NumPy selects by itself and the two must agree, ties included. LIBRARY is the path of
libshortlist.so (default: the environment's SHORTLIST_LIBRARY). Ends with "N passed, N
failed".
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shortlist_ctypes import (
    RECE,
    SCE,
    Batch,
    Context,
    CrossEntropy,
    GivenCandidates,
    Library,
    Loss,
    Result,
    Selection,
    ShortlistError,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


# ---- the reference ----


@dataclass
class Shortlists:
    """Which items each token sees, its own target left out."""

    seen: Mask  # N x C
    log_weights: Array  # N x C
    to_catalog: Mask  # N x C: the pair takes part in the catalog's gradient
    counted: Mask  # N


class Reference:
    """A loss over given shortlists and its gradients, in float64."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.x = batch.hidden.astype(np.float64)
        self.y = batch.items.astype(np.float64)
        self.tokens, self.items = len(self.x), len(self.y)
        self.scale = float(np.float32(batch.scale))
        targets = np.asarray(batch.targets)
        self.valid: Mask = np.ones(self.tokens, dtype=bool)
        if batch.ignore_index is not None:
            self.valid = targets != batch.ignore_index
        self.target = np.where(self.valid, targets, 0)
        self.bias = np.zeros(self.items)
        if batch.item_bias is not None:
            self.bias = batch.item_bias.astype(np.float64)
        self.selectable: Mask = self.bias != -np.inf
        self.selectable[list(batch.excluded_items or [])] = False
        self.bias = np.where(self.selectable, self.bias, 0.0)
        self.products = self.x @ self.y.T
        self.logits = self.scale * self.products + self.bias
        self.own = self.target[:, None] == np.arange(self.items)[None, :]
        self.rows = np.arange(self.tokens)

    @property
    def logit_error(self) -> Array:
        """How far a float32 logit of each token may be off."""
        epsilon = 2.0**-24 * np.sqrt(self.x.shape[1])
        return 8 * epsilon * (1 + np.abs(self.logits).max(axis=1))

    def everything(self) -> Shortlists:
        """Exact cross-entropy."""
        seen = np.broadcast_to(self.selectable, self.logits.shape) & ~self.own
        none = np.zeros(self.logits.shape)
        return Shortlists(seen, none, np.ones_like(seen), self.valid)

    def blocks(
        self,
        selection: Selection,
        combination: str,
        winners: NDArray[np.int32] | None = None,
    ) -> Shortlists:
        """Candidate blocks; `winners` says which of a token's blocks stands for it."""
        shape = self.logits.shape
        result = Shortlists(
            np.zeros(shape, dtype=bool),
            np.zeros(shape),
            np.ones(shape, dtype=bool),
            np.zeros(self.tokens, dtype=bool),
        )
        for block, (tokens, items) in enumerate(zip(selection.tokens, selection.items)):
            first = np.unique(items, return_index=True)
            member = np.zeros(self.items, dtype=bool)
            member[first[0]] = True
            weights = np.zeros(self.items)
            if selection.log_weights is not None:
                weights[first[0]] = selection.log_weights[block][first[1]]
            flags = selection.contributes_to_catalog_gradient
            for token in tokens:
                if not self.valid[token]:
                    continue
                result.counted[token] = True
                if combination == "max" and winners is not None:
                    if winners[token] != block:
                        continue
                pairs = member & self.selectable & ~self.own[token]
                pairs &= ~result.seen[token]  # once only
                result.seen[token] |= pairs
                result.log_weights[token, pairs] = weights[pairs]
                if flags is not None:
                    result.to_catalog[token, pairs] = flags[block]
        return result

    def terms(self, lists: Shortlists) -> tuple[Array, Array, Array, Array]:
        """Loss, log-sum-exp, probabilities of the shortlist and of the target."""
        z = np.where(lists.seen, self.logits + lists.log_weights, -np.inf)
        z_target = self.logits[self.rows, self.target]
        top = np.maximum(z.max(axis=1), z_target)
        total = np.exp(z - top[:, None]).sum(axis=1) + np.exp(z_target - top)
        lse = top + np.log(total)
        loss = np.where(lists.counted, lse - z_target, 0.0)
        return loss, lse, np.exp(z - lse[:, None]), np.exp(z_target - lse)

    def weights(self, lists: Shortlists, upstream: float | Array) -> Array:
        """g_i: what the loss of each token is multiplied by in the gradients."""
        weight = np.ones(self.tokens)
        if self.batch.weights is not None:
            weight = self.batch.weights.astype(np.float64)
        weight = np.where(lists.counted, weight, 0.0)
        if self.batch.reduction == "mean":
            total = self.batch.denominator or weight.sum()
            weight = weight / total if weight.sum() > 0 else weight * 0
        return weight * upstream


@dataclass
class Expected:
    """A value, and how far the library's may be from it, element by element."""

    value: Array
    bound: Array
    terms: Array | None = None  # of a sum: what its terms are in size


def gradients(
    reference: Reference, lists: Shortlists, upstream: float | Array
) -> dict[str, Expected]:
    """Every gradient, with its bound: the logit error times the sum of |terms|."""
    _, _, p, p_target = reference.terms(lists)
    g = reference.weights(lists, upstream)
    error = float(reference.logit_error.max())
    x, y, s = reference.x, reference.y, reference.scale
    own_y, own_product = (
        y[reference.target],
        reference.products[reference.rows, reference.target],
    )
    pull, push = g * (p_target - 1), np.abs(g) * (p_target + 1)
    to_catalog = g[:, None] * p * lists.to_catalog
    scatter = reference.own & lists.counted[:, None]

    def expected(value: Array, terms: Array) -> Expected:
        return Expected(value, error * terms + 1e-37, terms)

    return {
        "hidden": expected(
            s * (g[:, None] * (p @ y) + pull[:, None] * own_y),
            s * (np.abs(g)[:, None] * (p @ np.abs(y)) + push[:, None] * np.abs(own_y)),
        ),
        "catalog": expected(
            s * (to_catalog + pull[:, None] * scatter).T @ x,
            s * (np.abs(to_catalog) + push[:, None] * scatter).T @ np.abs(x),
        ),
        "bias": expected(
            (to_catalog + pull[:, None] * scatter).sum(axis=0),
            (np.abs(to_catalog) + push[:, None] * scatter).sum(axis=0),
        ),
        "scale": expected(
            np.sum(g * (p * reference.products).sum(axis=1) + pull * own_product),
            np.sum(
                np.abs(g) * (p * np.abs(reference.products)).sum(axis=1)
                + push * np.abs(own_product)
            ),
        ),
    }


# ---- comparing ----


def require(condition: object, what: str) -> None:
    if not condition:
        raise AssertionError(what)


def compare(name: str, actual: Any, expected: Expected) -> None:
    actual = np.asarray(actual, dtype=np.float64)
    require(
        actual.shape == expected.value.shape, f"{name} has the shape {actual.shape}"
    )
    error = np.abs(actual - expected.value)
    worst = np.unravel_index(np.argmax(error - expected.bound), error.shape)
    require(
        np.all(error <= expected.bound),
        f"{name}{list(map(int, worst))} is {actual[worst]}, expected "
        f"{expected.value[worst]} within {expected.bound[worst]}",
    )
    if expected.terms is None:
        return
    # Bounds alone would hide one wrong row in a million. (Where terms cancel to almost
    # nothing, rounding is all that is left, and there is nothing to measure by.)
    size = np.sum(expected.value**2)
    if size > 1e-4 * np.sum(expected.terms**2):
        relative = np.sum(error**2) / size
        require(relative <= 1e-9, f"{name}: mean squared error {relative} of its size")


def compare_losses(
    reference: Reference, lists: Shortlists, result: Result, what: str
) -> None:
    loss, lse, _, _ = reference.terms(lists)
    bound = 1e-5 * loss + reference.logit_error
    weight = np.ones(reference.tokens)
    if reference.batch.weights is not None:
        weight = reference.batch.weights.astype(np.float64)
    shown = weight if reference.batch.reduction == "none" else 1.0
    counted = lists.counted
    compare(f"{what} losses", result.token_losses, Expected(shown * loss, bound))
    compare(
        f"{what} log-sum-exp",
        result.log_sum_exp,
        Expected(np.where(counted, lse, 0.0), reference.logit_error),
    )
    g = reference.weights(lists, 1.0)
    total, slack = float(np.sum(g * loss)), float(np.sum(g * bound))
    compare(f"{what} loss", result.loss, Expected(np.array(total), np.array(slack)))
    require(
        result.report.tokens_counted == counted.sum(),
        f"{what}: {result.report.tokens_counted} tokens counted",
    )


def compare_gradients(
    result: Result, expected: dict[str, Expected], what: str, items: int
) -> None:
    compare(f"{what} dX", result.hidden_gradient, expected["hidden"])
    compare(f"{what} ds", result.scale_gradient, expected["scale"])
    catalog, bias = result.catalog_gradient, result.bias_gradient
    if result.row_ids is not None:
        ids = result.row_ids
        require(np.all(np.diff(ids) > 0), f"{what}: row ids do not ascend")
        dense = np.zeros((items, catalog.shape[1])), np.zeros(items)
        dense[0][ids], dense[1][ids] = catalog, bias
        catalog, bias = dense
    compare(f"{what} dY", catalog, expected["catalog"])
    compare(f"{what} db", bias, expected["bias"])


# ---- random cases ----


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

    batch = Batch(
        matrix(tokens, 1.0),
        rng.integers(0, items, size=tokens).astype(rng.choice(["int32", "int64"])),
        matrix(items, spread),
    )
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


def random_upstream(
    rng: np.random.Generator, batch: Batch
) -> tuple[float | NDArray[np.float32], float | Array]:
    """For the library, and the same for the reference."""
    if batch.reduction == "none":
        vector = rng.normal(size=len(batch.hidden)).astype(np.float32)
        return vector, vector.astype(np.float64)
    value = float(np.float32(rng.normal()))
    return value, value


def random_selection(rng: np.random.Generator, batch: Batch) -> Selection:
    """Ragged blocks with repeats of items, empty blocks, and perhaps log-weights."""
    tokens, items = len(batch.hidden), len(batch.items)
    blocks = int(rng.integers(1, 6))
    chosen = Selection(
        [
            rng.permutation(tokens)[: rng.integers(0, tokens + 1)].astype(np.int32)
            for _ in range(blocks)
        ],
        [
            rng.integers(0, items, size=rng.integers(0, 2 * items)).astype(np.int32)
            for _ in range(blocks)
        ],
    )
    if rng.random() < 0.5:
        chosen.log_weights = [
            rng.normal(size=len(block)).astype(np.float32) for block in chosen.items
        ]
    if rng.random() < 0.5:
        chosen.contributes_to_catalog_gradient = [
            bool(rng.random() < 0.5) for _ in range(blocks)
        ]
    return chosen


def check_loss(
    context: Context,
    loss: Loss,
    batch: Batch,
    rng: np.random.Generator,
) -> None:
    """One call, and two phases, against the reference on the same selection."""
    reference = Reference(batch)
    upstream, reference_upstream = random_upstream(rng, batch)
    form = "rows" if rng.random() < 0.5 else "catalog"
    wanted = ("hidden", form, "bias", "scale")
    with context.forward(loss, batch) as state:
        if isinstance(loss, CrossEntropy):
            lists = reference.everything()
        else:
            combination = getattr(loss, "combination", "union")
            selection = state.selection()
            if isinstance(loss, GivenCandidates):
                selection = loss.selection
            winners = state.winners() if combination == "max" else None
            lists = reference.blocks(selection, combination, winners)
            if combination == "max":
                check_winners(reference, selection, lists)
            if isinstance(loss, RECE):
                lists.counted = reference.valid
        compare_losses(reference, lists, state.result, "forward")
        expected = gradients(reference, lists, reference_upstream)
        later = state.backward(wanted, upstream)
        compare_gradients(later, expected, "backward", len(batch.items))
    once = context.evaluate(loss, batch, wanted, upstream)
    compare_losses(reference, lists, once, "one call")
    compare_gradients(once, expected, "one call", len(batch.items))
    require(
        np.array_equal(once.hidden_gradient, later.hidden_gradient),
        "one call and two phases differ",
    )


def check_winners(
    reference: Reference, selection: Selection, lists: Shortlists
) -> None:
    """The winning block has the largest loss, but for rounding."""
    won = reference.terms(lists)[0]
    for block in range(len(selection.tokens)):
        single = Selection(
            [selection.tokens[block]],
            [selection.items[block]],
            None if selection.log_weights is None else [selection.log_weights[block]],
        )
        alone = reference.blocks(single, "union")
        loss = reference.terms(alone)[0]
        bound = 1e-5 * won + 2 * reference.logit_error
        require(
            np.all(loss[alone.counted] <= (won + bound)[alone.counted]),
            f"block {block} has a larger loss than the winner",
        )


def random_case(context: Context, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    batch = random_batch(rng)
    buckets = int(rng.choice([0, 1, 5]))
    loss: Loss
    if kind == "ce":
        loss = CrossEntropy()
    elif kind in ("sce max", "sce union"):
        loss = SCE(
            bucket_count=buckets,
            tokens_per_bucket=int(rng.choice([0, 3, 10_000])),
            items_per_bucket=int(rng.choice([1, 7, 64, 10_000])),
            directions=str(rng.choice(["mix", "gaussian"])),
            combination=kind.split()[1],
            seed=seed,
            step=3,
        )
    elif kind == "rece":
        loss = RECE(
            bucket_count=buckets,
            neighbour_chunks=int(rng.choice([0, 1, 2])),
            rounds=int(rng.choice([1, 2, 4])),
            seed=seed,
        )
    else:
        selection = random_selection(rng, batch)
        loss = GivenCandidates(selection, kind.split()[1])
    check_loss(context, loss, batch, rng)


# ---- cases of their own ----


def selection_round_trip(context: Context) -> None:
    """A selection that is exported and given back gives the same numbers."""
    rng = np.random.default_rng(5)
    batch = random_batch(rng)
    batch.hidden = rng.normal(size=(200, batch.items.shape[1])).astype(np.float32)
    batch.targets = rng.integers(0, len(batch.items), size=200).astype(np.int32)
    batch.weights = batch.ignore_index = batch.excluded_items = None
    batch.item_bias, batch.reduction = None, "mean"
    for combination in ("max", "union"):
        sce = SCE(items_per_bucket=20, combination=combination, seed=9)
        wanted = ("hidden", "catalog")
        with context.forward(sce, batch) as state:
            given = GivenCandidates(state.selection(), combination)
            before = state.backward(wanted)
        after = context.evaluate(given, batch, wanted)
        require(before.loss == after.loss, f"{before.loss} became {after.loss}")
        for name in ("hidden_gradient", "catalog_gradient"):
            require(
                np.array_equal(getattr(before, name), getattr(after, name)),
                f"{combination}: {name} differs",
            )


def whole_numbers(
    rng: np.random.Generator, rows: int, width: int
) -> NDArray[np.float32]:
    return rng.integers(-2, 3, size=(rows, width)).astype(np.float32)


def best(scores: Array, count: int) -> NDArray[np.int64]:
    """Places of the largest scores; ties go to the lower place."""
    return np.sort(np.lexsort((np.arange(scores.size), -scores))[:count])


def sce_selects_exactly(context: Context) -> None:
    """On whole numbers the buckets are NumPy's, ties included."""
    rng = np.random.default_rng(11)
    for items, width in ((40, 3), (1500, 4)):
        x, y = whole_numbers(rng, 150, width), whole_numbers(rng, items, width)
        directions = whole_numbers(rng, 7, width)
        targets = rng.integers(8, items, size=150).astype(np.int32)
        targets[::10] = -100
        excluded = [0, 5]
        batch = Batch(x, targets, y, excluded_items=excluded, ignore_index=-100)
        sce = SCE(
            tokens_per_bucket=20,
            items_per_bucket=30,
            directions="given",
            given_directions=directions,
        )
        valid = np.flatnonzero(targets != -100)
        free = np.setdiff1d(np.arange(items), excluded)
        with context.forward(sce, batch) as state:
            selection = state.selection()
        require(len(selection.tokens) == 7, "as many blocks as directions")
        for block, direction in enumerate(directions.astype(np.float64)):
            tokens = valid[best(x[valid] @ direction, 20)]
            chosen = free[best(y[free] @ direction, 30)]
            require(
                np.array_equal(np.sort(selection.tokens[block]), tokens),
                f"{items} items: tokens of block {block}",
            )
            require(
                np.array_equal(np.sort(selection.items[block]), chosen),
                f"{items} items: items of block {block}",
            )


def rece_selects_exactly(context: Context) -> None:
    """On whole numbers the chunks are NumPy's, ties included."""
    rng = np.random.default_rng(12)
    rounds, buckets, chunks, neighbours = 3, 6, 9, 1
    x, y = whole_numbers(rng, 130, 4), whole_numbers(rng, 333, 4)
    directions = whole_numbers(rng, rounds * buckets, 4)
    targets = rng.integers(8, 333, size=130).astype(np.int32)
    targets[::7] = -100
    batch = Batch(x, targets, y, excluded_items=[3, 4, 4], ignore_index=-100)
    rece = RECE(
        bucket_count=buckets,
        chunk_count=chunks,
        neighbour_chunks=neighbours,
        rounds=rounds,
        directions="given",
        given_directions=directions,
    )
    valid = np.flatnonzero(targets != -100)
    free = np.setdiff1d(np.arange(333), [3, 4])
    with context.forward(rece, batch) as state:
        selection = state.selection()

    def cut(rows: NDArray[Any], which: NDArray[np.int64], r: Array) -> list[Any]:
        """Chunks of `which`, ordered by hash and then by number."""
        key = np.argmax(rows[which] @ r.T, axis=1)
        order = which[np.argsort(key, kind="stable")]
        ends = [c * order.size // chunks for c in range(chunks + 1)]
        return [order[a:b] for a, b in zip(ends, ends[1:])]

    for number in range(rounds):
        r = directions[number * buckets : (number + 1) * buckets].astype(np.float64)
        token_chunks, item_chunks = cut(x, valid, r), cut(y, free, r)
        for c in range(chunks):
            block = number * chunks + c
            near = item_chunks[max(0, c - neighbours) : c + neighbours + 1]
            require(
                set(selection.tokens[block]) == set(token_chunks[c]),
                f"round {number}, tokens of chunk {c}",
            )
            require(
                np.array_equal(
                    np.sort(selection.items[block]), np.sort(np.concatenate(near))
                ),
                f"round {number}, items of chunk {c}",
            )


def philox(counter: NDArray[np.uint32], key: tuple[int, int]) -> NDArray[np.uint32]:
    """Philox 4x32-10 on rows of four words."""
    c = [counter[:, i].astype(np.uint64) for i in range(4)]
    k0, k1 = key
    word, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [
            (p1 >> half) ^ c[1] ^ np.uint64(k0),
            p1 & word,
            (p0 >> half) ^ c[3] ^ np.uint64(k1),
            p0 & word,
        ]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, axis=1).astype(np.uint32)


def draws_are_philox(context: Context) -> None:
    """Draws are Box-Muller on Philox, counted as the documentation says."""
    rows, columns, first = 6, 11, 4
    seed, step = 0x1234_5678_9ABC_DEF0, 0x00AB_CDEF_0123_4567
    actual = context.library.normal(rows, columns, seed, step, first)
    blocks = -(-columns // 4)
    counter = np.zeros((rows * blocks, 4), dtype=np.uint32)
    counter[:, 0] = np.tile(np.arange(blocks), rows)
    counter[:, 1] = np.repeat(np.arange(first, first + rows), blocks)
    counter[:, 2] = step & 0xFFFFFFFF
    counter[:, 3] = step >> 32
    words = philox(counter, (seed & 0xFFFFFFFF, seed >> 32))
    unit = (words.astype(np.float64) + 0.5) * 2.0**-32
    radius = np.sqrt(-2 * np.log(unit[:, [0, 0, 2, 2]]))
    angle = 2 * np.pi * unit[:, [1, 1, 3, 3]]
    normal = radius * np.where([True, False, True, False], np.cos(angle), np.sin(angle))
    normal = normal.reshape(rows, blocks * 4)[:, :columns]
    require(np.allclose(actual, normal, rtol=1e-6, atol=1e-9), "the draws differ")


def ranking_is_exact(context: Context) -> None:
    """Top-k and ranks on whole numbers, ties, seen and excluded items included."""
    rng = np.random.default_rng(13)
    queries, items = whole_numbers(rng, 60, 5), whole_numbers(rng, 900, 5)
    bias = rng.integers(-1, 2, size=900).astype(np.float32)
    targets = rng.integers(10, 900, size=60).astype(np.int64)
    seen = [rng.integers(0, 900, size=n).tolist() for n in rng.integers(0, 30, size=60)]
    for row, target in zip(seen, targets):
        row.append(int(target))  # the target itself always takes part in ranks
    excluded = [2, 9]
    scores = queries.astype(np.float64) @ items.T.astype(np.float64) + bias
    k = 890
    ids, values = context.top_k(queries, items, k, bias, seen, excluded)
    ranks = context.target_ranks(queries, targets, items, bias, seen, excluded)
    for q in range(60):
        gone = np.zeros(900, dtype=bool)
        gone[seen[q]] = gone[excluded] = True
        order = np.lexsort((np.arange(900), -scores[q]))
        kept = order[~gone[order]][:k]
        require(np.array_equal(ids[q, : kept.size], kept), f"top-k of query {q}")
        require(np.all(values[q, : kept.size] == scores[q, kept]), f"scores of {q}")
        require(np.all(ids[q, kept.size :] == -1), f"empty places of query {q}")
        gone[targets[q]] = False
        rank = 1 + int(np.flatnonzero(order[~gone[order]] == targets[q])[0])
        require(ranks[q] == rank, f"query {q} has rank {ranks[q]}, not {rank}")


def reference_is_its_own_derivative(context: Context) -> None:
    """The reference's gradients against finite differences, selection held fixed."""
    del context
    rng = np.random.default_rng(14)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(9, 3))
    bias, weights = rng.normal(size=9), rng.random(size=5)
    batch = Batch(
        x.astype(np.float32),
        rng.integers(0, 9, size=5),
        y.astype(np.float32),
        item_bias=bias.astype(np.float32),
        weights=weights.astype(np.float32),
        scale=0.75,
    )
    base = Reference(batch)
    lists = base.blocks(Selection([np.arange(5)], [np.arange(4, 9)]), "union")
    slope = gradients(base, lists, 1.5)

    def value(name: str, place: tuple[int, ...], step: float) -> float:
        moved = Reference(batch)
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
            step = 1e-5
            rise = value(name, place, step) - value(name, place, -step)
            require(
                abs(rise / (2 * step) - expected.value[place]) < 1e-8,
                f"{name}{place}: {rise / (2 * step)} against {expected.value[place]}",
            )


def failures_are_exceptions(context: Context) -> None:
    """A status becomes an exception with its name, its message and its need."""
    rng = np.random.default_rng(15)
    batch = random_batch(rng)
    batch.targets = np.full(len(batch.hidden), len(batch.items), dtype=np.int32)
    try:
        context.evaluate(CrossEntropy(), batch)
    except ShortlistError as error:
        require(error.name == "SHORTLIST_TARGET_OUT_OF_RANGE", error.name)
        require(str(len(batch.items)) in str(error), str(error))
    else:
        raise AssertionError("a target out of range is an error")
    batch.targets[:] = 0
    batch = replace(batch, excluded_items=None, item_bias=None, ignore_index=None)
    with context.library.context(workspace_limit=1) as tight:
        try:
            tight.evaluate(CrossEntropy(), batch, ("hidden",))
        except ShortlistError as error:
            require(error.name == "SHORTLIST_WORKSPACE_LIMIT", error.name)
            least = error.need
        else:
            raise AssertionError("one byte is not enough")
    with context.library.context(workspace_limit=least) as enough:
        enough.evaluate(CrossEntropy(), batch, ("hidden",))
    with context.library.context(workspace_limit=least - 1) as tight:
        try:
            tight.evaluate(CrossEntropy(), batch, ("hidden",))
        except ShortlistError as error:
            require(error.need == least, f"{error.need}, not {least}")
        else:
            raise AssertionError("a byte less than the least is not enough")


# ---- running them ----


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Compares libshortlist with NumPy in float64."
    )
    parser.add_argument("library", nargs="?", help="path of libshortlist.so")
    parser.add_argument(
        "--cases", type=int, default=40, help="random cases of each kind (default 40)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the first case (default 1)"
    )
    options = parser.parse_args()
    try:
        library = Library(options.library)
    except (OSError, ImportError) as error:
        parser.error(f"the library cannot be loaded: {error}")
    print(f"{library.path}: version {library.version}, NumPy {np.__version__}")

    tests: list[tuple[str, Callable[[Context], None]]] = [
        ("the reference is its own derivative", reference_is_its_own_derivative),
        ("a selection given back gives the same", selection_round_trip),
        ("SCE selects exactly", sce_selects_exactly),
        ("RECE selects exactly", rece_selects_exactly),
        ("draws are Philox", draws_are_philox),
        ("top-k and ranks are exact", ranking_is_exact),
        ("failures are exceptions", failures_are_exceptions),
    ]
    for kind in ("ce", "sce max", "sce union", "rece", "given max", "given union"):
        for seed in range(options.seed, options.seed + options.cases):

            def run(context: Context, kind: str = kind, seed: int = seed) -> None:
                random_case(context, kind, seed)

            tests.append((f"{kind}, seed {seed}", run))

    passed = failed = 0
    with library.context() as context:
        for name, test in tests:
            try:
                test(context)
                passed += 1
            except (AssertionError, ShortlistError) as error:
                failed += 1
                print(f"FAIL {name}: {error}")
            except Exception:
                failed += 1
                print(f"FAIL {name}:")
                traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
