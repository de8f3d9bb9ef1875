"""Top-k retrieval and the ranks of targets."""

from __future__ import annotations

from ctypes import byref
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _library as c
from ._arrays import Array, Arrays
from ._batch import take_items
from ._catalog import Catalog
from ._context import Context
from ._loader import C
from ._results import TargetRanks, TopK, make_report

if TYPE_CHECKING:
    from typing_extensions import TypedDict, Unpack

    class QueryOptions(TypedDict, total=False):
        """The keywords that both rankings take.

        The score of item j for query i is ⟨queries_i, items_j⟩ + item_bias_j. A model that
        was trained with a scale and a bias multiplies its queries by the scale.
        """

        item_bias: Array | None
        """(C,) float32 added to the scores; minus infinity leaves an item out."""
        seen: Any
        """Items to leave out for each query: `ItemLists`, or a sequence of Q lists."""
        excluded_items: Any
        """Left out for every query: int32 array or whole numbers."""
        threads: int
        """Worker threads, the calling one included; 0 (default): one a processor."""
        backend: str | None
        """"cpu", …; None: the best that can run here."""
        device: int
        """Index among the devices of the named backend; −1: the best."""
        workspace_limit: int
        """Bytes that the call may use beside inputs and outputs; 0: no limit."""


def top_k(
    queries: Array, items: Array | Catalog, k: int, **options: Unpack[QueryOptions]
) -> TopK:
    """The k best items of each query, best first, without a matrix of scores.

    Ties go to the lower item, NaN is below everything.

    Args:
        queries: (Q, d) float32.
        items: (C, d) float32, or a `Catalog`.
        k: places a query, at least 1.
        **options: `QueryOptions`.

    Arrays, errors and threads as for `cross_entropy`.
    """
    arrays = Arrays()
    query, context = _query(arrays, queries, items, **options)
    count = query.queries.rows
    if k < 1:
        raise ValueError(f"k is {k}; wanted 1 or more")
    ids = np.empty((count, k), dtype=np.int32)
    scores = np.empty((count, k), dtype=np.float32)
    report = c.Report()
    context.call(
        C.shortlist_top_k,
        ids.ctypes.data,
        scores.ctypes.data,
        context.handle,
        byref(query),
        k,
        byref(report),
    )
    return TopK(ids, scores, make_report(report))


def target_ranks(
    queries: Array,
    items: Array | Catalog,
    targets: Array,
    **options: Unpack[QueryOptions],
) -> TargetRanks:
    """The rank of each query's target among the items that are not left out, from 1.

    One more than the number of items that score higher, or the same with a lower number.
    The target itself always takes part, also when it is in `seen`.

    Args:
        queries: (Q, d) float32.
        items: (C, d) float32, or a `Catalog`.
        targets: (Q,) int32 or int64.
        **options: `QueryOptions`.

    Arrays, errors and threads as for `cross_entropy`.
    """
    arrays = Arrays()
    query, context = _query(arrays, queries, items, **options)
    count = query.queries.rows
    indices = arrays.targets(targets, "targets", count)
    ranks = np.empty(count, dtype=np.int64)
    report = c.Report()
    context.call(
        C.shortlist_target_ranks,
        ranks.ctypes.data,
        context.handle,
        byref(query),
        byref(indices),
        byref(report),
    )
    return TargetRanks(ranks, make_report(report))


def _query(
    arrays: Arrays,
    queries: Array,
    items: Array | Catalog,
    *,
    item_bias: Array | None = None,
    seen: Any = None,
    excluded_items: Any = None,
    threads: int | None = None,
    backend: str | None = None,
    device: int | None = None,
    workspace_limit: int | None = None,
) -> tuple[c.Query, Context]:
    query = c.Query()
    queries, items, item_bias = plain(queries), plain(items), plain(item_bias)
    query.queries = arrays.matrix(queries, "queries")
    width = query.queries.columns
    context, _ = take_items(
        query,
        arrays,
        items,
        item_bias,
        width,
        threads,
        backend,
        device,
        workspace_limit,
    )
    if seen is not None:
        query.seen = arrays.lists(seen, "seen")
        if query.seen.list_count != query.queries.rows:
            raise ValueError(
                f"seen has {query.seen.list_count} lists; wanted {query.queries.rows}, "
                "one for each query"
            )
    if excluded_items is not None:
        query.excluded_items = arrays.indices(excluded_items, "excluded_items")
    return query, context


def plain(value: Any) -> Any:
    """A parameter of a PyTorch model as the tensor it holds: a ranking has no gradient that
    could be lost."""
    return value.detach() if getattr(value, "requires_grad", False) else value
