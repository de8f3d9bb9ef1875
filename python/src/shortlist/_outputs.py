"""Room for what a call writes, as a shortlist_outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ctypes import c_double, c_int64, pointer
from typing import Any

import numpy as np

from . import _library as c
from ._arrays import Arrays, FloatArray, Int32Array, view
from ._results import Gradients, RowGradient

GRADIENTS = ("hidden", "catalog", "catalog_rows", "bias", "scale")
_IN_OUT = {"hidden", "catalog", "bias", "token_losses", "log_sum_exp"}
_INT32 = np.dtype(np.int32)


class Room:
    """The outputs of one call: allocated here, or the caller's, named in `out`."""

    def __init__(
        self,
        tokens: int,
        items: int,
        width: int,
        *,
        gradients: Iterable[str],
        upstream: Any,
        per_token: bool,
        row_capacity: int | None,
        most_rows: int,
        out: Mapping[str, Any] | None,
        accumulate: bool,
        reduction: str,
    ) -> None:
        self.arrays = Arrays()
        self.struct = struct = c.Outputs()
        self.hidden: FloatArray | None = None
        self.catalog: FloatArray | None = None
        self.bias: FloatArray | None = None
        self.row_ids: Int32Array | None = None
        self.token_losses: FloatArray | None = None
        self.log_sum_exp: FloatArray | None = None
        self.scale: c_double | None = None
        self.row_count: c_int64 | None = None
        wanted = set(check_gradients(gradients))
        if row_capacity is not None and "catalog_rows" not in wanted:
            raise ValueError("row_capacity goes with the gradient 'catalog_rows'")
        out = {} if out is None else dict(out)
        _check_out(out, wanted, per_token, accumulate)
        self.out = out
        if per_token:
            self.token_losses, struct.token_losses = self._vector(
                "token_losses", tokens
            )
            self.log_sum_exp, struct.log_sum_exp = self._vector("log_sum_exp", tokens)
        if not wanted:
            _check_upstream_is_default(upstream)
            return
        self._take_upstream(upstream, tokens, reduction)
        rows = items
        if "catalog_rows" in wanted:
            rows = most_rows if row_capacity is None else row_capacity
            self.row_ids = np.empty(rows, dtype=np.int32)
            struct.row_ids = self.arrays.vector(self.row_ids, "row_ids", rows, _INT32)
            struct.row_capacity = rows
            self.row_count = c_int64(0)
            struct.row_count = pointer(self.row_count)
            struct.catalog_mode = c.CATALOG_GRADIENT["rows"]
        elif accumulate:
            struct.catalog_mode = c.CATALOG_GRADIENT["add"]
        elif "catalog" in wanted:
            struct.catalog_mode = c.CATALOG_GRADIENT["store"]
        if "catalog" in wanted or "catalog_rows" in wanted:
            self.catalog = self._array("catalog", (rows, width))
            struct.catalog_gradient = self.arrays.matrix(
                self.catalog, "out['catalog']", rows, width, output=True
            )
        if "bias" in wanted:
            self.bias, struct.bias_gradient = self._vector("bias", rows)
        if "hidden" in wanted:
            self.hidden = self._array("hidden", (tokens, width))
            struct.hidden_gradient = self.arrays.matrix(
                self.hidden, "out['hidden']", tokens, width, output=True
            )
        if "scale" in wanted:
            self.scale = c_double(0)
            struct.scale_gradient = pointer(self.scale)

    def _array(self, name: str, shape: tuple[int, ...]) -> FloatArray:
        given = self.out.get(name)
        if given is None:
            return np.empty(shape, dtype=np.float32)
        return view(given, f"out[{name!r}]")

    def _vector(self, name: str, count: int) -> tuple[FloatArray, int]:
        array = self._array(name, (count,))
        label = f"out[{name!r}]"
        return array, self.arrays.vector(array, label, count, output=True)

    def _take_upstream(self, upstream: Any, tokens: int, reduction: str) -> None:
        if isinstance(upstream, (int, float)):
            self.struct.upstream = upstream
            if reduction == "none" and upstream != 1.0:
                raise ValueError(
                    f"upstream is {upstream}; with reduction 'none' wanted an array of "
                    f"{tokens} numbers, one for each token"
                )
            if reduction == "none":
                ones = np.ones(tokens, dtype=np.float32)
                self.struct.token_upstream = self.arrays.vector(
                    ones, "upstream", tokens
                )
            return
        if reduction != "none":
            raise ValueError(
                f"upstream is a {type(upstream).__name__}; with reduction {reduction!r} "
                "wanted one number (an array goes with reduction 'none')"
            )
        self.struct.token_upstream = self.arrays.vector(upstream, "upstream", tokens)

    def gradients(self) -> Gradients:
        """What the call wrote."""
        scale = None if self.scale is None else self.scale.value
        if self.row_ids is None or self.row_count is None:
            return Gradients(self.hidden, self.catalog, None, self.bias, scale)
        used = self.row_count.value
        assert self.catalog is not None  # row ids come with their rows
        rows = RowGradient(
            self.row_ids[:used],
            self.catalog[:used],
            None if self.bias is None else self.bias[:used],
        )
        return Gradients(self.hidden, None, rows, None, scale)


def check_gradients(gradients: Iterable[str]) -> tuple[str, ...]:
    """The names of the gradients that are wanted, if such there are."""
    if isinstance(gradients, str):
        raise TypeError(
            f"gradients is the text {gradients!r}; wanted a tuple, as in ({gradients!r},)"
        )
    names = tuple(gradients)
    wanted = set(names)
    unknown = wanted.difference(GRADIENTS)
    if unknown:
        raise ValueError(
            f"gradients has {sorted(unknown)}; there are {list(GRADIENTS)}"
        )
    if {"catalog", "catalog_rows"} <= wanted:
        raise ValueError(
            "gradients has both 'catalog' (all rows) and 'catalog_rows' (those touched); "
            "wanted one of them"
        )
    return names


def _check_out(
    out: dict[str, Any], wanted: set[str], per_token: bool, accumulate: bool
) -> None:
    unknown = set(out) - _IN_OUT
    if unknown:
        raise ValueError(f"out has {sorted(unknown)}; there are {sorted(_IN_OUT)}")
    made = set(wanted)
    if per_token:
        made |= {"token_losses", "log_sum_exp"}
    if "catalog_rows" in wanted:
        made -= {"catalog", "bias"}
    unused = set(out) - made
    if unused:
        raise ValueError(
            f"out has room for {sorted(unused)}, which this call does not write"
        )
    if accumulate:
        if "catalog_rows" in wanted or not wanted & {"catalog", "bias"}:
            raise ValueError(
                "accumulate adds to the gradients 'catalog' and 'bias'; gradients has "
                f"{sorted(wanted)}"
            )
        missing = (wanted & {"catalog", "bias"}) - set(out)
        if missing:
            raise ValueError(
                f"accumulate adds to out[{sorted(missing)[0]!r}]: not given"
            )


def _check_upstream_is_default(upstream: Any) -> None:
    if not (isinstance(upstream, (int, float)) and upstream == 1.0):
        raise ValueError("upstream multiplies gradients, and none were asked for")
