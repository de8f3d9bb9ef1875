"""What a forward pass leaves for backward passes."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from ctypes import byref, c_int64, c_void_p

import numpy as np

from . import _library as c
from ._arrays import Array, Int32Array
from ._context import Context, check_open
from ._loader import C
from ._outputs import Room
from ._results import BackwardResult, Selection, make_report


class SavedState:
    """Selection, log-sum-exp and winners of a forward pass, from ``keep_state=True``.

    Any number of `backward` calls use it; nothing is selected again. It keeps looking at
    the arrays of its batch and keeps them alive: leave them unchanged until it is released,
    by `release`, by the end of a ``with`` block, or when nothing refers to it any more.
    Calls from several threads take turns.
    """

    def __init__(
        self,
        handle: c_void_p,
        context: Context,
        memory: object,
        sizes: tuple[int, int, int],
        reduction: str,
        most_rows: int,
    ) -> None:
        self._handle, self._context = handle, context
        self._sizes, self._reduction = sizes, reduction
        self._most_rows = most_rows
        self._finalizer = weakref.finalize(
            self,
            context.discard,
            C.shortlist_state_release,
            c_void_p(handle.value),
            memory,
        )
        self._finalizer.atexit = False

    def __enter__(self) -> SavedState:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Lets go of the arrays; the state cannot be used any more. May be repeated."""
        self._finalizer()
        self._handle = c_void_p()

    def backward(
        self,
        gradients: Iterable[str],
        upstream: float | Array = 1.0,
        *,
        row_capacity: int | None = None,
        out: Mapping[str, Array] | None = None,
        accumulate: bool = False,
    ) -> BackwardResult:
        """The gradients that are asked for, as the one call gives them.

        Args:
            gradients: any of "hidden", "catalog" or "catalog_rows", "bias", "scale".
            upstream: multiplies them; with reduction "none" (N,) float32.
            row_capacity, out, accumulate: as for the losses.
        """
        check_open(self._handle, "state")
        tokens, items, width = self._sizes
        room = Room(
            tokens,
            items,
            width,
            gradients=gradients,
            upstream=upstream,
            per_token=False,
            row_capacity=row_capacity,
            most_rows=self._most_rows,
            out=out,
            accumulate=accumulate,
            reduction=self._reduction,
        )
        report = c.Report()
        self._context.call(
            C.shortlist_backward, self._handle, byref(room.struct), byref(report)
        )
        return BackwardResult(room.gradients(), make_report(report))

    def selection(self) -> Selection:
        """The blocks that the loss chose, as `given_candidates` takes them.

        Items ascend within a block, but for RECE's, which stand in the order of their
        hashes. RECE's rounds and chunks are blocks for the combination "union". Exact
        cross-entropy, whose one block is everything, is an `UnsupportedError`.
        """
        check_open(self._handle, "state")
        sizes = [c_int64() for _ in range(3)]
        self._context.call(
            C.shortlist_state_selection_size, *map(byref, sizes), self._handle
        )
        blocks, tokens, items = (size.value for size in sizes)
        selection = Selection(
            np.empty(blocks + 1, dtype=np.int64),
            np.empty(tokens, dtype=np.int32),
            np.empty(blocks + 1, dtype=np.int64),
            np.empty(items, dtype=np.int32),
        )
        pointers = (array.ctypes.data for array in selection[:4])
        self._context.call(C.shortlist_state_get_selection, *pointers, self._handle)
        return selection

    def winners(self) -> Int32Array:
        """(N,) int32: the block through which each token's gradient flows.

        −1 for tokens that do not count; 0 for the others with the combination "union".
        """
        check_open(self._handle, "state")
        winners = np.empty(self._sizes[0], dtype=np.int32)
        self._context.call(
            C.shortlist_state_get_winners,
            winners.ctypes.data,
            winners.size,
            self._handle,
        )
        return winners
