"""A catalog: item vectors that a context knows once instead of with every call."""

from __future__ import annotations

import weakref
from ctypes import byref, c_void_p
from typing import TYPE_CHECKING, Any

from ._arrays import Array, Arrays
from ._context import Context, check_open, current_context
from ._loader import C

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._context import ContextChoice


class Catalog:
    """Item vectors, and their biases, known to a backend once; takes the place of `items`.

    On the CPU a catalog is a view of your memory; on a device it will be a resident copy.
    Code that is right for both calls `update` after changing the memory and before the next
    call that shall see the change. Where a catalog runs is chosen when it is made; calls
    that use it take no `threads`, `backend`, `device` or `workspace_limit`. Calls from
    several threads take turns.

    Args:
        items: (C, d) float32.
        item_bias: (C,) float32 added to the logits; minus infinity leaves an item out.
        context: `threads`, `backend`, `device`, `workspace_limit`, as for `sce`.
    """

    def __init__(
        self,
        items: Array,
        item_bias: Array | None = None,
        **context: Unpack[ContextChoice],
    ) -> None:
        self._arrays = arrays = Arrays()
        matrix = arrays.matrix(items, "items")
        bias = None
        if item_bias is not None:
            bias = arrays.vector(item_bias, "item_bias", matrix.rows)
        self.item_bias = item_bias
        """The biases it was made with, or None."""
        self._context: Context = current_context(**context)
        self._handle = c_void_p()
        self.shape: tuple[int, int] = (matrix.rows, matrix.columns)
        """(C, d)."""
        self._context.call(
            C.shortlist_catalog_create,
            byref(self._handle),
            self._context.handle,
            byref(matrix),
            bias,
        )
        self._finalizer = weakref.finalize(
            self,
            _discard,
            self._context,
            c_void_p(self._handle.value),
            arrays,
        )
        self._finalizer.atexit = False

    def update(self, rows: Any = None) -> None:
        """Tells that the items and biases have changed.

        Args:
            rows: only these, as int32 or whole numbers in any order; None: all of them.
        """
        check_open(self._handle, "catalog")
        if rows is None:
            self._context.call(C.shortlist_catalog_update, self._handle)
        else:
            indices = Arrays().indices(rows, "rows")
            self._context.call(
                C.shortlist_catalog_update_rows, self._handle, byref(indices)
            )

    def release(self) -> None:
        """Lets go of the arrays; the catalog cannot be used any more. May be repeated."""
        self._finalizer()
        self._handle = c_void_p()


def _discard(context: Context, handle: c_void_p, arrays: Arrays) -> None:
    # `arrays` stays until the library has let go of the memory.
    context.discard(C.shortlist_catalog_release, handle, arrays)
