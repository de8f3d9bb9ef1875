"""The losses and their gradients in NumPy float64, sharing nothing with the library.

The definition of the losses, written with N x C matrices: what the library never stores.
Selections come from the library where they are random (and are exported by it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shortlist import Gradients, LossResult, Selection

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass
class Batch:
    """What a loss is computed from, named as the functions of the package name it."""

    hidden: NDArray[np.float32]
    items: NDArray[np.float32]
    targets: NDArray[Any]
    item_bias: NDArray[np.float32] | None = None
    weights: NDArray[np.float32] | None = None
    excluded_items: Sequence[int] | None = None
    ignore_index: int | None = None
    scale: float = 1.0
    reduction: str = "mean"
    denominator: float | None = None

    @property
    def keywords(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


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
        for block, (tokens, items) in enumerate(selection.blocks()):
            first = np.unique(items, return_index=True)
            member = np.zeros(self.items, dtype=bool)
            member[first[0]] = True
            weights = np.zeros(self.items)
            if selection.log_weights is not None:
                of_block = selection.log_weights[selection.item_offsets[block] :]
                weights[first[0]] = of_block[first[1]]
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


def compare(name: str, actual: Any, expected: Expected) -> None:
    """Element by element within the bound, and as a whole within 1e-9 of its size."""
    actual = np.asarray(actual, dtype=np.float64)
    assert actual.shape == expected.value.shape, name
    error = np.abs(actual - expected.value)
    worst = np.unravel_index(np.argmax(error - expected.bound), error.shape)
    assert np.all(error <= expected.bound), (
        f"{name}{list(map(int, worst))} is {actual[worst]}, expected "
        f"{expected.value[worst]} within {expected.bound[worst]}"
    )
    if expected.terms is None:
        return
    # Bounds alone would hide one wrong row in a million. (Where terms cancel to almost
    # nothing, rounding is all that is left, and there is nothing to measure by.)
    size = np.sum(expected.value**2)
    if size > 1e-4 * np.sum(expected.terms**2):
        relative = np.sum(error**2) / size
        assert relative <= 1e-9, f"{name}: mean squared error {relative} of its size"


def compare_losses(reference: Reference, lists: Shortlists, result: LossResult) -> None:
    loss, lse, _, _ = reference.terms(lists)
    bound = 1e-5 * loss + reference.logit_error
    weight = np.ones(reference.tokens)
    if reference.batch.weights is not None:
        weight = reference.batch.weights.astype(np.float64)
    shown = weight if reference.batch.reduction == "none" else 1.0
    counted = lists.counted
    compare("losses", result.token_losses, Expected(shown * loss, bound))
    lse = np.where(counted, lse, 0.0)
    compare("log-sum-exp", result.log_sum_exp, Expected(lse, reference.logit_error))
    g = reference.weights(lists, 1.0)
    total, slack = float(np.sum(g * loss)), float(np.sum(g * bound))
    compare("loss", result.loss, Expected(np.array(total), np.array(slack)))
    assert result.report.tokens_counted == counted.sum()


def compare_gradients(
    actual: Gradients, expected: dict[str, Expected], items: int
) -> None:
    compare("hidden", actual.hidden, expected["hidden"])
    compare("scale", actual.scale, expected["scale"])
    catalog, bias = actual.catalog, actual.bias
    rows = actual.catalog_rows
    if rows is not None:
        assert np.all(np.diff(rows.ids) > 0), "row ids ascend"
        catalog = np.zeros((items, rows.rows.shape[1]))
        bias = np.zeros(items)
        catalog[rows.ids], bias[rows.ids] = rows.rows, rows.bias
    compare("catalog", catalog, expected["catalog"])
    compare("bias", bias, expected["bias"])
