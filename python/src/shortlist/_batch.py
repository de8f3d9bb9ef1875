"""What the losses have in common: a batch in, a result out."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from ctypes import byref, c_double, c_void_p
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import _library as c
from ._arrays import Array, Arrays, view
from ._catalog import Catalog
from ._context import Context, check_open, current_context
from ._loader import C
from ._outputs import Room, check_gradients
from ._results import LossResult, make_report
from ._states import SavedState

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    class BatchOptions(TypedDict, total=False):
        """The keywords that all losses take.

        The loss of token i is log(exp z_it + Σ_j exp z_ij) − z_it, with
        z_ij = scale · ⟨hidden_i, items_j⟩ + item_bias_j, t its target and j the items of
        its shortlist, which the loss chooses.
        """

        item_bias: Array | None
        """(C,) float32 added to the logits; minus infinity leaves an item out."""
        weights: Array | None
        """(N,) float32 ≥ 0; None: each 1."""
        excluded_items: Any
        """Never candidates, a padding row for example: int32 array or whole numbers."""
        ignore_index: int | None
        """Tokens with this target take part in nothing; None (default): no token."""
        scale: float
        """1 / temperature, > 0; rounded to float32. Default 1."""
        reduction: Literal["mean", "sum", "none"]
        """mean (default): Σ weight · loss / Σ weight over the tokens that count."""
        denominator: float | None
        """What "mean" divides by instead, for gradient accumulation."""
        gradients: Iterable[str]
        """Any of "hidden", "catalog" (C × d) or "catalog_rows" (row-sparse), "bias",
        "scale". What is not asked for is not computed."""
        upstream: float | Array
        """Multiplies the gradients; with reduction "none" (N,) float32."""
        per_token: bool
        """Return `token_losses` and `log_sum_exp` too."""
        keep_state: bool
        """Return a `SavedState`, for gradients later and for the selection."""
        row_capacity: int | None
        """Rows of room for "catalog_rows"; None: as many as can be needed."""
        out: Mapping[str, Array] | None
        """Your own memory to write to: "hidden", "catalog", "bias", "token_losses",
        "log_sum_exp"."""
        accumulate: bool
        """Add the gradients "catalog" and "bias" to what is in `out`."""
        threads: int
        """Worker threads, the calling one included; 0 (default): one a processor."""
        backend: str | None
        """"cpu", …; None: the best that can run here. Never replaced by another."""
        device: int
        """Index among the devices of the named backend; −1: the best."""
        workspace_limit: int
        """Bytes that the call may use beside inputs and outputs; 0: no limit."""


def evaluate(
    name: str,
    options: c.SizedStructure,
    arrays: Arrays,
    hidden: Array,
    items: Array | Catalog,
    targets: Array,
    touched: int | None,
    *,
    item_bias: Array | None = None,
    weights: Array | None = None,
    excluded_items: Any = None,
    ignore_index: int | None = None,
    scale: float = 1.0,
    reduction: str = "mean",
    denominator: float | None = None,
    gradients: Iterable[str] = (),
    upstream: float | Array = 1.0,
    per_token: bool = False,
    keep_state: bool = False,
    row_capacity: int | None = None,
    out: Mapping[str, Array] | None = None,
    accumulate: bool = False,
    threads: int | None = None,
    backend: str | None = None,
    device: int | None = None,
    workspace_limit: int | None = None,
) -> LossResult:
    """Runs the loss `name`.

    `arrays` keeps those of `options` alive; `touched` is how many items candidates can
    name at most, None for all of them.
    """
    batch = c.Batch(scale=scale)
    batch.reduction = choose("reduction", reduction, c.REDUCTION)
    batch.hidden = arrays.matrix(hidden, "hidden")
    tokens, width = batch.hidden.rows, batch.hidden.columns
    batch.targets = arrays.targets(targets, "targets", tokens)
    context, item_count = take_items(
        batch,
        arrays,
        items,
        item_bias,
        width,
        threads,
        backend,
        device,
        workspace_limit,
    )
    if weights is not None:
        batch.weights = arrays.vector(weights, "weights", tokens)
    if excluded_items is not None:
        batch.excluded_items = arrays.indices(excluded_items, "excluded_items")
    if ignore_index is not None:
        batch.ignore_index = whole("ignore_index", ignore_index)
        batch.use_ignore_index = 1
    if denominator is not None:
        if not (denominator > 0 and math.isfinite(denominator)):
            raise ValueError(f"denominator is {denominator}; wanted a number above 0")
        batch.denominator = denominator
    most = item_count if touched is None else min(item_count, touched + tokens)
    gradients = check_gradients(gradients)
    # Where gradients come out of the state, their options do too.
    later = keep_state and bool(gradients)
    room = Room(
        tokens,
        item_count,
        width,
        gradients=() if later else gradients,
        upstream=1.0 if later else upstream,
        per_token=per_token,
        row_capacity=None if later else row_capacity,
        most_rows=most,
        out=_per_token_only(out) if later else out,
        accumulate=accumulate and not later,
        reduction=reduction,
    )
    loss, report = c_double(), c.Report()
    common = (
        byref(loss),
        context.handle,
        byref(options),
        byref(batch),
        byref(room.struct),
        byref(report),
    )
    if not keep_state:
        context.call(getattr(C, f"shortlist_{name}"), *common)
        return LossResult(
            loss.value,
            room.gradients(),
            make_report(report),
            room.token_losses,
            room.log_sum_exp,
        )
    handle = c_void_p()
    context.call(getattr(C, f"shortlist_{name}_forward"), byref(handle), *common)
    state = SavedState(
        handle, context, (arrays, items), (tokens, item_count, width), reduction, most
    )
    result = room.gradients()
    made = make_report(report)
    if later:
        result, _ = state.backward(
            gradients,
            upstream,
            row_capacity=row_capacity,
            out=_gradients_only(out),
            accumulate=accumulate,
        )
    return LossResult(
        loss.value, result, made, room.token_losses, room.log_sum_exp, state
    )


def take_items(
    target: Any,
    arrays: Arrays,
    items: Array | Catalog,
    item_bias: Array | None,
    width: int,
    threads: int | None,
    backend: str | None,
    device: int | None,
    workspace_limit: int | None,
) -> tuple[Context, int]:
    """Puts items or catalog into a batch or query; where it runs, and how many items."""
    if not isinstance(items, Catalog):
        target.items = arrays.matrix(items, "items", None, width)
        if item_bias is not None:
            target.item_bias = arrays.vector(item_bias, "item_bias", target.items.rows)
        context = current_context(
            0 if threads is None else whole("threads", threads, 31),
            backend,
            -1 if device is None else whole("device", device, 31),
            0 if workspace_limit is None else whole("workspace_limit", workspace_limit),
        )
        return context, target.items.rows
    check_open(items._handle, "catalog")
    if item_bias is not None:
        raise ValueError("item_bias goes with the catalog: Catalog(items, item_bias)")
    chosen = (threads, backend, device, workspace_limit)
    if chosen != (None, None, None, None):
        raise ValueError(
            "threads, backend, device and workspace_limit are chosen when a catalog is "
            "made: Catalog(items, threads=…)"
        )
    if items.shape[1] != width:
        raise ValueError(
            f"the catalog has the shape {items.shape}; wanted (items, {width})"
        )
    target.catalog = items._handle
    return items._context, items.shape[0]


_PER_TOKEN = ("token_losses", "log_sum_exp")


def _per_token_only(out: Mapping[str, Array] | None) -> dict[str, Array]:
    return {key: value for key, value in (out or {}).items() if key in _PER_TOKEN}


def _gradients_only(out: Mapping[str, Array] | None) -> dict[str, Array]:
    return {key: value for key, value in (out or {}).items() if key not in _PER_TOKEN}


def choose(what: str, value: Any, among: Mapping[str, int]) -> int:
    """The library's number of a choice by name."""
    try:
        return among[value]
    except (KeyError, TypeError):
        raise ValueError(
            f"{what} is {value!r}; wanted one of {', '.join(map(repr, among))}"
        ) from None


def whole(name: str, value: int, bits: int = 63) -> int:
    """A whole number that fits; ctypes would wrap around without a word."""
    if not isinstance(value, int):
        try:
            value = operator.index(value)
        except TypeError:
            raise TypeError(f"{name} is {value!r}; wanted a whole number") from None
    if not -(2**bits) <= value < 2**bits:
        raise OverflowError(f"{name} is {value}; wanted a number below 2^{bits}")
    return value


def row_count(array: Array) -> int:
    """How many rows, before the array is checked; 0 where it has none."""
    found = view(array, "hidden")
    return int(found.shape[0]) if isinstance(found, np.ndarray) and found.ndim else 0
