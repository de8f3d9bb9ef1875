"""The losses: functions of arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import _library as c
from ._arrays import Array, Arrays
from ._batch import choose, evaluate, row_count, whole
from ._catalog import Catalog
from ._results import LossResult, Selection

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._batch import BatchOptions

_UINT8 = np.dtype(np.uint8)
_INT32 = np.dtype(np.int32)
_INT64 = np.dtype(np.int64)


def cross_entropy(
    hidden: Array,
    items: Array | Catalog,
    targets: Array,
    **batch: Unpack[BatchOptions],
) -> LossResult:
    """Exact softmax cross-entropy over all items, without storing N × C logits.

    About 6·N·C·d flops with both gradients, in 256 MiB of workspace or less; 8·N·C·d where
    `workspace_limit` leaves no room for the logits of a hundred tokens, or a state is kept.

    Args:
        hidden: (N, d) float32, the hidden states.
        items: (C, d) float32, the item vectors (the output layer's weight), or a `Catalog`.
        targets: (N,) int32 or int64, the item that each token should predict.
        **batch: `BatchOptions`.

    Arrays are NumPy's, or have DLPack or the buffer protocol; they are never copied, and
    the GIL is released during the work. Bad arrays are `TypeError` or `ValueError`, what the
    library refuses is a `ShortlistError`. Any number of threads may call.
    """
    return evaluate(
        "cross_entropy",
        c.CrossEntropyOptions(),
        Arrays(),
        hidden,
        items,
        targets,
        None,
        **_given(batch),
    )


def sce(
    hidden: Array,
    items: Array | Catalog,
    targets: Array,
    *,
    bucket_count: int = 0,
    tokens_per_bucket: int = 0,
    items_per_bucket: int = 0,
    directions: Literal["mix", "gaussian", "given"] = "mix",
    given_directions: Array | None = None,
    combination: Literal["max", "union"] = "max",
    seed: int = 0,
    step: int = 0,
    **batch: Unpack[BatchOptions],
) -> LossResult:
    """Scalable cross-entropy (arXiv 2409.18721) over hard items chosen by random directions.

    Each bucket holds the tokens and the items of largest inner product with its direction.
    Tokens in no bucket do not count. About 2·bucket_count·(N + C)·d flops to select, then a
    few hundred logits a token.

    Args:
        hidden: (N, d) float32, the hidden states.
        items: (C, d) float32, the item vectors (the output layer's weight), or a `Catalog`.
        targets: (N,) int32 or int64.
        bucket_count: 0: ⌊2√n⌋, n the number of valid tokens.
        tokens_per_bucket: 0: ⌊2√n⌋.
        items_per_bucket: 0: 256.
        directions: "mix" (Gaussian mixes of the hidden states, as published), "gaussian",
            or "given".
        given_directions: (bucket_count, d) float32, with "given" and only then.
        combination: of the buckets that hold a token: "max", the largest of its losses (as
            published), or "union", one loss over the union of their items.
        seed: of the directions, below 2^64.
        step: below 2^56. The same seed and step draw the same directions, the next step
            others: advance it yourself from one training step to the next.
        **batch: `BatchOptions`.

    Arrays, errors and threads as for `cross_entropy`.
    """
    arrays = Arrays()
    options = c.SCEOptions(
        directions=choose("directions", directions, c.DIRECTIONS),
        combination=choose("combination", combination, c.COMBINATION),
        bucket_count=whole("bucket_count", bucket_count),
        tokens_per_bucket=whole("tokens_per_bucket", tokens_per_bucket),
        items_per_bucket=whole("items_per_bucket", items_per_bucket),
        seed=_unsigned("seed", seed),
        step=_unsigned("step", step),
    )
    if given_directions is not None:
        options.given_directions = arrays.matrix(given_directions, "given_directions")
    buckets = max(bucket_count, options.given_directions.rows)
    touched = sce_items(row_count(hidden), buckets, items_per_bucket)
    return evaluate(
        "sce", options, arrays, hidden, items, targets, touched, **_given(batch)
    )


def rece(
    hidden: Array,
    items: Array | Catalog,
    targets: Array,
    *,
    bucket_count: int = 0,
    chunk_count: int = 0,
    neighbour_chunks: int = 1,
    rounds: int = 1,
    directions: Literal["gaussian", "given"] = "gaussian",
    given_directions: Array | None = None,
    seed: int = 0,
    step: int = 0,
    **batch: Unpack[BatchOptions],
) -> LossResult:
    """Reduced cross-entropy (arXiv 2408.02354) over the items whose hash is near the token's.

    Tokens and items are sorted by hash and cut into equal chunks; a token chunk sees its
    item chunk and the neighbours of that. Every valid token counts.

    Args:
        hidden: (N, d) float32, the hidden states.
        items: (C, d) float32, the item vectors (the output layer's weight), or a `Catalog`.
        targets: (N,) int32 or int64.
        bucket_count: hash values; 0: max(1, ⌊√(4 (1 + 2 neighbour_chunks) min(n, C))⌋).
        chunk_count: 0: bucket_count; capped at n and at C.
        neighbour_chunks: on each side.
        rounds: of hashing; an item that several bring counts once.
        directions: "gaussian", or "given".
        given_directions: (rounds · bucket_count, d) float32, round after round.
        seed: of the directions, below 2^64.
        step: below 2^56; as for `sce`.
        **batch: `BatchOptions`.

    Arrays, errors and threads as for `cross_entropy`.
    """
    arrays = Arrays()
    options = c.RECEOptions(
        directions=choose("directions", directions, c.DIRECTIONS),
        bucket_count=whole("bucket_count", bucket_count),
        chunk_count=whole("chunk_count", chunk_count),
        neighbour_chunks=whole("neighbour_chunks", neighbour_chunks),
        rounds=whole("rounds", rounds),
        seed=_unsigned("seed", seed),
        step=_unsigned("step", step),
    )
    if given_directions is not None:
        options.given_directions = arrays.matrix(given_directions, "given_directions")
    return evaluate(
        "rece", options, arrays, hidden, items, targets, None, **_given(batch)
    )


def given_candidates(
    hidden: Array,
    items: Array | Catalog,
    targets: Array,
    selection: Selection,
    *,
    combination: Literal["max", "union"] = "max",
    **batch: Unpack[BatchOptions],
) -> LossResult:
    """Cross-entropy over your own candidate blocks: mined, in-batch or sampled negatives.

    Tokens in no block do not count.

    Args:
        hidden: (N, d) float32, the hidden states.
        items: (C, d) float32, the item vectors (the output layer's weight), or a `Catalog`.
        targets: (N,) int32 or int64.
        selection: the blocks; `Selection.of` makes them from lists, `SavedState.selection`
            exports those of another loss.
        combination: of the blocks that hold a token, as for `sce`.
        **batch: `BatchOptions`.

    Arrays, errors and threads as for `cross_entropy`.
    """
    arrays = Arrays()
    s = selection
    offsets = arrays.vector(s.token_offsets, "selection.token_offsets", None, _INT64)
    blocks = arrays.kept[-1].size - 1
    tokens = arrays.vector(s.tokens, "selection.tokens", None, _INT32)
    _check_offsets("token", arrays)
    item_offsets = arrays.vector(
        s.item_offsets, "selection.item_offsets", blocks + 1, _INT64
    )
    item_list = arrays.vector(s.items, "selection.items", None, _INT32)
    _check_offsets("item", arrays)
    count = arrays.kept[-1].size
    options = c.GivenCandidatesOptions(
        combination=choose("combination", combination, c.COMBINATION),
        block_count=blocks,
        token_offsets=offsets,
        tokens=tokens,
        item_offsets=item_offsets,
        items=item_list,
    )
    if s.log_weights is not None:
        options.log_weights = arrays.vector(
            s.log_weights, "selection.log_weights", count
        )
    if s.contributes_to_catalog_gradient is not None:
        options.contributes_to_catalog_gradient = arrays.vector(
            s.contributes_to_catalog_gradient,
            "selection.contributes_to_catalog_gradient",
            blocks,
            _UINT8,
        )
    return evaluate(
        "given_candidates",
        options,
        arrays,
        hidden,
        items,
        targets,
        count,
        **_given(batch),
    )


def sce_items(tokens: int, bucket_count: int, items_per_bucket: int) -> int:
    """How many items SCE's buckets hold together at most."""
    buckets = bucket_count if bucket_count > 0 else math.isqrt(4 * tokens)
    return buckets * (items_per_bucket if items_per_bucket > 0 else 256)


def _given(batch: Any) -> dict[str, Any]:
    given: dict[str, Any] = batch
    return given


def _unsigned(name: str, value: int) -> int:
    """ctypes would wrap around without a word."""
    if not 0 <= value < 2**64:
        raise ValueError(f"{name} is {value}; wanted 0 or more and below 2^64")
    return value


def _check_offsets(which: str, arrays: Arrays) -> None:
    """The library reads as many numbers as the offsets say: they must be there."""
    offsets, numbers = arrays.kept[-2], arrays.kept[-1]
    if (
        offsets.size == 0
        or offsets[0] != 0
        or offsets[-1] != numbers.size
        or np.any(np.diff(offsets) < 0)
    ):
        raise ValueError(
            f"selection.{which}_offsets must begin at 0, never fall, and end at "
            f"{numbers.size}, the length of selection.{which}s; they are {offsets}"
        )
