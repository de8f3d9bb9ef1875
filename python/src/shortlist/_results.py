"""What calls return."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from ctypes import sizeof
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _library as c
from ._arrays import FloatArray, Int32Array, Int64Array
from ._loader import C

if TYPE_CHECKING:
    from ._states import SavedState


class Report(NamedTuple):
    """What a call did. Fields that do not apply are 0.

    Sizes are those used, after defaults and capping; workspace is in bytes, beside
    inputs and outputs.
    """

    threads: int
    """Worker threads used, the calling one included."""
    tokens_valid: int
    """Targets that are not ignored."""
    tokens_counted: int
    """Those in the loss; for SCE and given candidates those in a block."""
    tokens_non_finite: int
    """Counted tokens whose loss is infinite or NaN."""
    distinct_items_touched: int
    """Items with a part in the loss, targets included."""
    candidate_logits: int
    """Logits computed for candidates."""
    bucket_count: int
    tokens_per_bucket: int
    items_per_bucket: int
    chunk_count: int
    neighbour_chunks: int
    rounds: int
    top_k: int
    """Places that can be filled."""
    workspace_planned: int
    workspace_used: int
    workspace_least: int
    """The smallest `workspace_limit` with which this call works."""
    bytes_uploaded: int
    bytes_downloaded: int
    seconds_select: float
    seconds_score: float
    seconds_combine: float
    seconds_gradient: float
    seconds_total: float
    native_kernels: tuple[str, ...]
    """Kernels that the backend ran itself."""
    composed_kernels: tuple[str, ...]
    """Kernels composed from simpler ones."""
    notes: tuple[str, ...]
    """Sentences worth reading; usually none."""


# struct_size and threads, 17 counts, 5 times, 3 sets of bits, as shortlist_report has them.
_REPORT = struct.Struct("@Ii17q5d3Q")
assert _REPORT.size == sizeof(c.Report)


@lru_cache(maxsize=256)
def _names(kind: str, bits: int) -> tuple[str, ...]:
    name = C.shortlist_note_text if kind == "note" else C.shortlist_kernel_name
    texts = (name(bit) for bit in range(64) if bits >> bit & 1)
    return tuple(text.decode() for text in texts if text is not None)


def make_report(raw: c.Report) -> Report:
    values = _REPORT.unpack_from(raw)
    kernels = _names("kernel", values[24]), _names("kernel", values[25])
    return Report._make((*values[1:24], *kernels, _names("note", values[26])))


class RowGradient(NamedTuple):
    """The catalog's gradient where it is not zero."""

    ids: Int32Array
    """(R,) int32: the items, ascending."""
    rows: FloatArray
    """(R, d) float32: their gradients."""
    bias: FloatArray | None
    """(R,) float32: the gradients of their biases, if asked for."""


@dataclass(frozen=True)
class Gradients:
    """The gradients that were asked for; the others are None."""

    hidden: FloatArray | None = None
    """(N, d) float32."""
    catalog: FloatArray | None = None
    """(C, d) float32, of ``"catalog"``."""
    catalog_rows: RowGradient | None = None
    """Row-sparse, of ``"catalog_rows"``; holds the bias too, if asked for."""
    bias: FloatArray | None = None
    """(C,) float32, of ``"bias"`` without ``"catalog_rows"``."""
    scale: float | None = None
    """dL/d scale."""


@dataclass(frozen=True)
class LossResult:
    """A loss, its gradients and what the call did."""

    loss: float
    """The mean or the sum; with reduction "none" the sum of the vector."""
    gradients: Gradients
    report: Report
    token_losses: FloatArray | None = None
    """(N,) float32, with ``per_token=True``: 0 for tokens that do not count. With
    reduction "none" multiplied by the weights."""
    log_sum_exp: FloatArray | None = None
    """(N,) float32, with ``per_token=True``."""
    state: SavedState | None = None
    """With ``keep_state=True``: for gradients later, and for the selection."""


class BackwardResult(NamedTuple):
    """Gradients out of a `SavedState`."""

    gradients: Gradients
    report: Report


class TopK(NamedTuple):
    """The k best items of each query, best first."""

    ids: Int32Array
    """(Q, k) int32; places that cannot be filled are −1."""
    scores: FloatArray
    """(Q, k) float32; minus infinity where the id is −1."""
    report: Report


class TargetRanks(NamedTuple):
    """The rank of each query's target, from 1."""

    ranks: Int64Array
    """(Q,) int64."""
    report: Report


@dataclass(frozen=True)
class Device:
    """A device that a backend knows, or a backend that has none."""

    backend: str
    device: str
    """Its name."""
    index: int
    """What `device=` takes; −1 for a backend without a device."""
    available: bool
    score: int
    """The available device of the highest score is chosen when none is named."""
    reason: str
    """Why it is (not) available."""


class Selection(NamedTuple):
    """Candidate blocks: which tokens meet which items.

    Block k pairs the tokens ``tokens[token_offsets[k]:token_offsets[k + 1]]`` with the
    items ``items[item_offsets[k]:item_offsets[k + 1]]``. A token stands at most once in a
    block; an item that stands twice counts once.
    """

    token_offsets: Int64Array
    """(blocks + 1,) int64."""
    tokens: Int32Array
    """int32, rows of `hidden`."""
    item_offsets: Int64Array
    """(blocks + 1,) int64."""
    items: Int32Array
    """int32, item numbers."""
    log_weights: FloatArray | None = None
    """float32, parallel to `items`: added to the logits (minus log q of a sampled item)."""
    contributes_to_catalog_gradient: NDArray[np.uint8] | None = None
    """(blocks,) uint8: 0 for blocks whose items get no gradient."""

    @staticmethod
    def of(
        blocks: Iterable[tuple[Sequence[int] | Int32Array, Sequence[int] | Int32Array]],
    ) -> Selection:
        """From (tokens, items) pairs, one a block. Copies."""
        from ._arrays import ItemLists

        pairs = list(blocks)
        tokens = ItemLists.of([pair[0] for pair in pairs], "tokens")
        items = ItemLists.of([pair[1] for pair in pairs], "items")
        return Selection(tokens.offsets, tokens.items, items.offsets, items.items)

    def blocks(self) -> list[tuple[Int32Array, Int32Array]]:
        """(tokens, items) of each block, as views."""
        t, i = self.token_offsets, self.item_offsets
        return [
            (self.tokens[t[k] : t[k + 1]], self.items[i[k] : i[k + 1]])
            for k in range(len(t) - 1)
        ]


def text(raw: Any) -> str:
    """A fixed-size C string."""
    return bytes(raw).decode("utf-8", "replace")
