"""libshortlist called through ctypes, with NumPy arrays in and out.

One class loads the library and declares its functions (`Library`), one method turns a
status into an exception (`Library.check`); the rest is what the C header says, with
arrays instead of pointers. The header, `shortlist.h`, is the manual.

    library = Library("/usr/local/lib/libshortlist.so.0")
    with library.context() as context:
        result = context.evaluate(
            SCE(items_per_bucket=256, seed=7),
            Batch(hidden, targets, items),
            gradients=("hidden", "rows"),
        )
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Sequence
from ctypes import (
    POINTER,
    byref,
    c_double,
    c_int32,
    c_int64,
    c_uint32,
    c_uint64,
    c_void_p,
)
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32] | NDArray[np.int64]

# ---- the header's constants and structs ----

VERSION = 100  # the version of the header that this file was written for
FLOAT32, INT32, INT64 = 1, 16, 17
REDUCTIONS = {"mean": 0, "sum": 1, "none": 2}
CATALOG_GRADIENT_STORE, CATALOG_GRADIENT_ADD, CATALOG_GRADIENT_ROWS = 1, 2, 3
DIRECTIONS = {"mix": 0, "gaussian": 1, "given": 2}
COMBINATIONS = {"max": 0, "union": 1}


class Matrix(ctypes.Structure):
    """shortlist_matrix, and shortlist_mutable_matrix, which has the same fields."""

    _fields_ = [
        ("data", c_void_p),
        ("rows", c_int64),
        ("columns", c_int64),
        ("row_stride", c_int64),
        ("dtype", c_int32),
        ("reserved", c_int32),
    ]


class Indices(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p),
        ("count", c_int64),
        ("dtype", c_int32),
        ("reserved", c_int32),
    ]


class Lists(ctypes.Structure):
    _fields_ = [("offsets", c_void_p), ("items", c_void_p), ("list_count", c_int64)]


class SizedStructure(ctypes.Structure):
    """A struct that begins with its size; `defaults` are those of its _INIT macro."""

    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, **values: Any) -> None:
        size = ctypes.sizeof(type(self))
        super().__init__(struct_size=size, **{**self.defaults, **values})


class BatchStruct(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reduction", c_int32),
        ("hidden", Matrix),
        ("targets", Indices),
        ("catalog", c_void_p),
        ("items", Matrix),
        ("item_bias", c_void_p),
        ("weights", c_void_p),
        ("excluded_items", Indices),
        ("ignore_index", c_int64),
        ("use_ignore_index", c_int32),
        ("reserved", c_int32),
        ("scale", c_double),
        ("denominator", c_double),
    ]
    defaults: ClassVar[dict[str, Any]] = {"ignore_index": -100, "scale": 1.0}


class OutputsStruct(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("catalog_mode", c_int32),
        ("token_losses", c_void_p),
        ("log_sum_exp", c_void_p),
        ("upstream", c_double),
        ("token_upstream", c_void_p),
        ("hidden_gradient", Matrix),
        ("catalog_gradient", Matrix),
        ("bias_gradient", c_void_p),
        ("row_ids", c_void_p),
        ("row_capacity", c_int64),
        ("row_count", POINTER(c_int64)),
        ("scale_gradient", POINTER(c_double)),
    ]
    defaults: ClassVar[dict[str, Any]] = {"upstream": 1.0}


class Report(SizedStructure):
    """What a call did: see shortlist_report."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("threads", c_int32),
        ("tokens_valid", c_int64),
        ("tokens_counted", c_int64),
        ("tokens_non_finite", c_int64),
        ("distinct_items_touched", c_int64),
        ("candidate_logits", c_int64),
        ("bucket_count", c_int64),
        ("tokens_per_bucket", c_int64),
        ("items_per_bucket", c_int64),
        ("chunk_count", c_int64),
        ("neighbour_chunks", c_int64),
        ("rounds", c_int64),
        ("top_k", c_int64),
        ("workspace_planned", c_int64),
        ("workspace_used", c_int64),
        ("workspace_least", c_int64),
        ("bytes_uploaded", c_int64),
        ("bytes_downloaded", c_int64),
        ("seconds_select", c_double),
        ("seconds_score", c_double),
        ("seconds_combine", c_double),
        ("seconds_gradient", c_double),
        ("seconds_total", c_double),
        ("native_kernels", c_uint64),
        ("composed_kernels", c_uint64),
        ("notes", c_uint64),
    ]


class CrossEntropyOptions(SizedStructure):
    _fields_ = [("struct_size", c_uint32), ("reserved", c_int32)]


class SCEOptions(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("directions", c_int32),
        ("combination", c_int32),
        ("reserved", c_int32),
        ("bucket_count", c_int64),
        ("tokens_per_bucket", c_int64),
        ("items_per_bucket", c_int64),
        ("seed", c_uint64),
        ("step", c_uint64),
        ("given_directions", Matrix),
    ]


class RECEOptions(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("directions", c_int32),
        ("bucket_count", c_int64),
        ("chunk_count", c_int64),
        ("neighbour_chunks", c_int64),
        ("rounds", c_int64),
        ("seed", c_uint64),
        ("step", c_uint64),
        ("given_directions", Matrix),
    ]


class GivenCandidatesOptions(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("combination", c_int32),
        ("block_count", c_int64),
        ("token_offsets", c_void_p),
        ("tokens", c_void_p),
        ("item_offsets", c_void_p),
        ("items", c_void_p),
        ("log_weights", c_void_p),
        ("contributes_to_catalog_gradient", c_void_p),
    ]


class QueryStruct(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_int32),
        ("queries", Matrix),
        ("catalog", c_void_p),
        ("items", Matrix),
        ("item_bias", c_void_p),
        ("seen", Lists),
        ("excluded_items", Indices),
    ]


class ContextOptions(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("threads", c_int32),
        ("backend", ctypes.c_char_p),
        ("device", c_int32),
        ("reserved", c_int32),
        ("workspace_limit", c_int64),
        ("should_stop", c_void_p),
        ("stop_user_data", c_void_p),
    ]
    defaults: ClassVar[dict[str, Any]] = {"device": -1}


class ContextInfo(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("threads", c_int32),
        ("workspace_limit", c_int64),
        ("backend", ctypes.c_char * 32),
        ("device", ctypes.c_char * 128),
        ("reason", ctypes.c_char * 320),
    ]


# ---- arrays as pointers ----


class Arrays:
    """Arrays as the library takes them. Keeps them alive: pointers do not."""

    def __init__(self) -> None:
        self.kept: list[NDArray[Any]] = []

    def pointer(self, array: Any, dtype: type) -> c_void_p | None:
        """The address of a contiguous array of `dtype`; None for None."""
        if array is None:
            return None
        array = np.ascontiguousarray(array, dtype=dtype)
        self.kept.append(array)
        return c_void_p(array.ctypes.data)

    def matrix(self, array: Any) -> Matrix:
        """A float32 matrix; rows may lie apart, elements of a row may not."""
        if array is None:
            return Matrix()
        array = np.asarray(array, dtype=np.float32)
        if array.ndim != 2:
            raise ValueError(f"a matrix has 2 dimensions, this array {array.ndim}")
        rows, columns = array.shape
        stride = array.strides[0] // 4
        if array.strides[1] != 4 or array.strides[0] % 4 or stride < columns:
            array, stride = np.ascontiguousarray(array), columns
        self.kept.append(array)
        return Matrix(array.ctypes.data, rows, columns, stride, FLOAT32, 0)

    def indices(self, array: Any, *, wide: bool = False) -> Indices:
        """int32, or with `wide` also int64, numbers."""
        if array is None:
            return Indices()
        array = np.asarray(array)
        dtype = np.int64 if wide and array.dtype == np.int64 else np.int32
        if np.any(array != array.astype(dtype)):
            raise ValueError(f"a number does not fit {dtype.__name__}")
        array = np.ascontiguousarray(array, dtype=dtype)
        self.kept.append(array)
        kind = INT64 if dtype is np.int64 else INT32
        return Indices(array.ctypes.data, array.size, kind, 0)

    def lists(self, lists: Sequence[Iterable[int]] | None) -> Lists:
        if lists is None:
            return Lists()
        rows = [np.asarray(list(row), dtype=np.int32) for row in lists]
        offsets = np.concatenate([[0], np.cumsum([row.size for row in rows])])
        items = np.concatenate([*rows, np.empty(0, dtype=np.int32)])
        return Lists(
            self.pointer(offsets, np.int64), self.pointer(items, np.int32), len(rows)
        )


# ---- losses and their options ----


@dataclass
class Loss:
    """A loss with its options; `name` is the library's name of it."""

    name: ClassVar[str] = ""

    def options(self, arrays: Arrays) -> SizedStructure:
        raise NotImplementedError


@dataclass
class CrossEntropy(Loss):
    name: ClassVar[str] = "cross_entropy"

    def options(self, arrays: Arrays) -> SizedStructure:
        return CrossEntropyOptions()


@dataclass
class SCE(Loss):
    """Scalable cross-entropy; sizes of 0 are the library's defaults."""

    name: ClassVar[str] = "sce"
    bucket_count: int = 0
    tokens_per_bucket: int = 0
    items_per_bucket: int = 0
    directions: str = "mix"
    combination: str = "max"
    seed: int = 0
    step: int = 0
    given_directions: FloatArray | None = None

    def options(self, arrays: Arrays) -> SizedStructure:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["directions"] = DIRECTIONS[self.directions]
        values["combination"] = COMBINATIONS[self.combination]
        values["given_directions"] = arrays.matrix(self.given_directions)
        return SCEOptions(**values)


@dataclass
class RECE(Loss):
    """Reduced cross-entropy; sizes of 0 are the library's defaults."""

    name: ClassVar[str] = "rece"
    bucket_count: int = 0
    chunk_count: int = 0
    neighbour_chunks: int = 1
    rounds: int = 1
    directions: str = "gaussian"
    seed: int = 0
    step: int = 0
    given_directions: FloatArray | None = None

    def options(self, arrays: Arrays) -> SizedStructure:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["directions"] = DIRECTIONS[self.directions]
        values["given_directions"] = arrays.matrix(self.given_directions)
        return RECEOptions(**values)


@dataclass
class Selection:
    """Candidate blocks: the tokens and the items of each."""

    tokens: list[NDArray[np.int32]]
    items: list[NDArray[np.int32]]
    log_weights: list[FloatArray] | None = None
    contributes_to_catalog_gradient: list[bool] | None = None


@dataclass
class GivenCandidates(Loss):
    name: ClassVar[str] = "given_candidates"
    selection: Selection = field(default_factory=lambda: Selection([], []))
    combination: str = "max"

    def options(self, arrays: Arrays) -> SizedStructure:
        selection = self.selection
        tokens, items = arrays.lists(selection.tokens), arrays.lists(selection.items)
        weights = selection.log_weights
        flags = selection.contributes_to_catalog_gradient
        return GivenCandidatesOptions(
            combination=COMBINATIONS[self.combination],
            block_count=tokens.list_count,
            token_offsets=tokens.offsets,
            tokens=tokens.items,
            item_offsets=items.offsets,
            items=items.items,
            log_weights=arrays.pointer(
                None if weights is None else np.concatenate(weights), np.float32
            ),
            contributes_to_catalog_gradient=arrays.pointer(flags, np.uint8),
        )


# ---- calls ----


@dataclass
class Batch:
    """What a loss is computed from: see shortlist_batch."""

    hidden: FloatArray
    targets: IntArray
    items: FloatArray
    item_bias: FloatArray | None = None
    weights: FloatArray | None = None
    excluded_items: Sequence[int] | None = None
    ignore_index: int | None = None
    scale: float = 1.0
    reduction: str = "mean"
    denominator: float = 0.0

    def struct(self, arrays: Arrays) -> BatchStruct:
        for name in ("item_bias", "weights"):
            array = getattr(self, name)
            count = (self.items if name == "item_bias" else self.hidden).shape[0]
            if array is not None and array.shape != (count,):
                raise ValueError(f"{name} has the shape {array.shape}, not ({count},)")
        return BatchStruct(
            reduction=REDUCTIONS[self.reduction],
            hidden=arrays.matrix(self.hidden),
            targets=arrays.indices(self.targets, wide=True),
            items=arrays.matrix(self.items),
            item_bias=arrays.pointer(self.item_bias, np.float32),
            weights=arrays.pointer(self.weights, np.float32),
            excluded_items=arrays.indices(self.excluded_items),
            ignore_index=-100 if self.ignore_index is None else self.ignore_index,
            use_ignore_index=int(self.ignore_index is not None),
            scale=self.scale,
            denominator=self.denominator,
        )


@dataclass
class Result:
    """What a call gave. Gradients that were not asked for are None.

    With the gradient "rows", `catalog_gradient` and `bias_gradient` have one row for
    each item of `row_ids`.
    """

    loss: float = 0.0
    report: Report = field(default_factory=Report)
    token_losses: FloatArray | None = None
    log_sum_exp: FloatArray | None = None
    hidden_gradient: FloatArray | None = None
    catalog_gradient: FloatArray | None = None
    bias_gradient: FloatArray | None = None
    row_ids: NDArray[np.int32] | None = None
    scale_gradient: float | None = None


class Gradients:
    """Room for the gradients that are asked for, as a shortlist_outputs."""

    def __init__(
        self,
        wanted: Iterable[str],
        batch: Batch,
        upstream: float | FloatArray,
        row_capacity: int | None,
    ) -> None:
        wanted = set(wanted)
        unknown = wanted - {"hidden", "catalog", "rows", "bias", "scale"}
        if unknown or {"catalog", "rows"} <= wanted:
            raise ValueError(f"gradients {sorted(wanted)}")
        self.arrays = arrays = Arrays()
        (tokens, width), items = batch.hidden.shape, batch.items.shape[0]
        self.struct = struct = OutputsStruct()
        self.row_count, self.scale = c_int64(0), c_double(0)
        self.hidden = self.catalog = self.bias = self.row_ids = None
        if isinstance(upstream, np.ndarray):
            if upstream.shape != (tokens,):
                raise ValueError(f"upstream has the shape {upstream.shape}")
            struct.token_upstream = arrays.pointer(upstream, np.float32)
        else:
            struct.upstream = upstream
        rows = items
        if "rows" in wanted:
            rows = items if row_capacity is None else row_capacity
            self.row_ids = np.zeros(rows, dtype=np.int32)
            struct.row_ids = arrays.pointer(self.row_ids, np.int32)
            struct.row_capacity = rows
            struct.row_count = ctypes.pointer(self.row_count)
            struct.catalog_mode = CATALOG_GRADIENT_ROWS
        elif "catalog" in wanted:
            struct.catalog_mode = CATALOG_GRADIENT_STORE
        if wanted & {"catalog", "rows"}:
            self.catalog = np.zeros((rows, width), dtype=np.float32)
            struct.catalog_gradient = arrays.matrix(self.catalog)
        if "bias" in wanted:
            self.bias = np.zeros(rows, dtype=np.float32)
            struct.bias_gradient = arrays.pointer(self.bias, np.float32)
        if "hidden" in wanted:
            self.hidden = np.zeros((tokens, width), dtype=np.float32)
            struct.hidden_gradient = arrays.matrix(self.hidden)
        if "scale" in wanted:
            struct.scale_gradient = ctypes.pointer(self.scale)
        self.wants_scale = "scale" in wanted

    def ask_for_tokens(self, result: Result, tokens: int) -> None:
        result.token_losses = np.zeros(tokens, dtype=np.float32)
        result.log_sum_exp = np.zeros(tokens, dtype=np.float32)
        self.struct.token_losses = self.arrays.pointer(result.token_losses, np.float32)
        self.struct.log_sum_exp = self.arrays.pointer(result.log_sum_exp, np.float32)

    def put_in(self, result: Result) -> Result:
        used = self.row_count.value if self.row_ids is not None else None
        result.hidden_gradient = self.hidden
        result.row_ids = None if self.row_ids is None else self.row_ids[:used]
        result.catalog_gradient = None if self.catalog is None else self.catalog[:used]
        result.bias_gradient = None if self.bias is None else self.bias[:used]
        result.scale_gradient = self.scale.value if self.wants_scale else None
        return result


class ShortlistError(Exception):
    """A status that is not SHORTLIST_OK."""

    def __init__(self, status: int, name: str, message: str, need: int) -> None:
        super().__init__(f"{name}: {message}")
        self.status, self.name, self.need = status, name, need


class Library:
    """The loaded library: the one place that loads it and declares its functions."""

    LOSSES = ("cross_entropy", "sce", "rece", "given_candidates")

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Loads `path`, or what SHORTLIST_LIBRARY names, or the system's library."""
        name = path or os.environ.get("SHORTLIST_LIBRARY") or "libshortlist.so.0"
        self.path = os.fspath(name)
        self.c = ctypes.CDLL(self.path)
        self.declare()
        if self.c.shortlist_version() < VERSION:
            raise ImportError(
                f"{self.path} is version {self.version}, and older than this file"
            )

    def declare(self) -> None:
        handle, out = c_void_p, POINTER(c_void_p)
        text, report = ctypes.c_char_p, POINTER(Report)
        signatures: dict[str, tuple[Any, list[Any]]] = {
            "version": (c_int32, []),
            "version_string": (text, []),
            "status_name": (text, [c_int32]),
            "last_error_message": (text, []),
            "last_error_need": (c_int64, []),
            "context_create": (c_int32, [out, POINTER(ContextOptions)]),
            "context_release": (c_int32, [handle]),
            "context_get_info": (c_int32, [POINTER(ContextInfo), handle]),
            "backward": (c_int32, [handle, POINTER(OutputsStruct), report]),
            "state_release": (c_int32, [handle]),
            "state_selection_size": (c_int32, [POINTER(c_int64)] * 3 + [handle]),
            "state_get_selection": (c_int32, [c_void_p] * 4 + [handle]),
            "state_get_winners": (c_int32, [c_void_p, c_int64, handle]),
            "top_k": (
                c_int32,
                [c_void_p, c_void_p, handle, POINTER(QueryStruct), c_int64, report],
            ),
            "target_ranks": (
                c_int32,
                [c_void_p, handle, POINTER(QueryStruct), POINTER(Indices), report],
            ),
            "philox_normal": (
                c_int32,
                [POINTER(Matrix), c_uint64, c_uint64, c_int32, c_int64],
            ),
        }
        for loss in self.LOSSES:
            arguments = [
                POINTER(c_double),
                handle,
                c_void_p,
                POINTER(BatchStruct),
                POINTER(OutputsStruct),
                report,
            ]
            signatures[loss] = (c_int32, arguments)
            signatures[f"{loss}_forward"] = (c_int32, [out, *arguments])
        for name, (result, arguments) in signatures.items():
            function = getattr(self.c, f"shortlist_{name}")
            function.restype, function.argtypes = result, arguments

    @property
    def version(self) -> str:
        return self.c.shortlist_version_string().decode()

    def check(self, status: int) -> None:
        """The one place that turns a status into an exception."""
        if status != 0:
            raise ShortlistError(
                status,
                self.c.shortlist_status_name(status).decode(),
                self.c.shortlist_last_error_message().decode(),
                self.c.shortlist_last_error_need(),
            )

    def call(self, name: str, *arguments: Any) -> None:
        self.check(getattr(self.c, f"shortlist_{name}")(*arguments))

    def context(
        self, threads: int = 0, workspace_limit: int = 0, backend: str | None = None
    ) -> Context:
        return Context(self, threads, workspace_limit, backend)

    def normal(
        self, rows: int, columns: int, seed: int, step: int = 0, first_row: int = 0
    ) -> FloatArray:
        """Standard normal numbers: see shortlist_philox_normal."""
        result = np.zeros((rows, columns), dtype=np.float32)
        matrix = Arrays().matrix(result)
        self.call("philox_normal", byref(matrix), seed, step, 0, first_row)
        return result


class Context:
    """A context; leave a `with` block, or call `close`, to release it."""

    def __init__(
        self, library: Library, threads: int, workspace_limit: int, backend: str | None
    ) -> None:
        self.library = library
        self.handle = c_void_p()
        options = ContextOptions(
            threads=threads,
            workspace_limit=workspace_limit,
            backend=None if backend is None else backend.encode(),
        )
        library.call("context_create", byref(self.handle), byref(options))

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.library.call("context_release", self.handle)
        self.handle = c_void_p()

    @property
    def info(self) -> ContextInfo:
        info = ContextInfo()
        self.library.call("context_get_info", byref(info), self.handle)
        return info

    def evaluate(
        self,
        loss: Loss,
        batch: Batch,
        gradients: Iterable[str] = (),
        upstream: float | FloatArray = 1.0,
        row_capacity: int | None = None,
    ) -> Result:
        """Forward and backward in one call.

        gradients: any of "hidden", "catalog" or "rows" (row-sparse), "bias", "scale".
        """
        arrays, result, value = Arrays(), Result(), c_double()
        outputs = Gradients(gradients, batch, upstream, row_capacity)
        outputs.ask_for_tokens(result, batch.hidden.shape[0])
        options, struct = loss.options(arrays), batch.struct(arrays)
        self.library.call(
            loss.name,
            byref(value),
            self.handle,
            byref(options),
            byref(struct),
            byref(outputs.struct),
            byref(result.report),
        )
        result.loss = value.value
        return outputs.put_in(result)

    def forward(self, loss: Loss, batch: Batch) -> State:
        """The loss, and a state for backward calls."""
        return State(self, loss, batch)

    def query(
        self,
        arrays: Arrays,
        queries: FloatArray,
        items: FloatArray,
        item_bias: FloatArray | None,
        seen: Sequence[Iterable[int]] | None,
        excluded_items: Sequence[int] | None,
    ) -> QueryStruct:
        return QueryStruct(
            queries=arrays.matrix(queries),
            items=arrays.matrix(items),
            item_bias=arrays.pointer(item_bias, np.float32),
            seen=arrays.lists(seen),
            excluded_items=arrays.indices(excluded_items),
        )

    def top_k(
        self,
        queries: FloatArray,
        items: FloatArray,
        k: int,
        item_bias: FloatArray | None = None,
        seen: Sequence[Iterable[int]] | None = None,
        excluded_items: Sequence[int] | None = None,
    ) -> tuple[NDArray[np.int32], FloatArray]:
        """The ids and scores of the k best items of each query."""
        arrays = Arrays()
        query = self.query(arrays, queries, items, item_bias, seen, excluded_items)
        ids = np.zeros((queries.shape[0], k), dtype=np.int32)
        scores = np.zeros((queries.shape[0], k), dtype=np.float32)
        self.library.call(
            "top_k",
            c_void_p(ids.ctypes.data),
            c_void_p(scores.ctypes.data),
            self.handle,
            byref(query),
            k,
            None,
        )
        return ids, scores

    def target_ranks(
        self,
        queries: FloatArray,
        targets: IntArray,
        items: FloatArray,
        item_bias: FloatArray | None = None,
        seen: Sequence[Iterable[int]] | None = None,
        excluded_items: Sequence[int] | None = None,
    ) -> NDArray[np.int64]:
        """The rank of each query's target, from 1."""
        arrays = Arrays()
        query = self.query(arrays, queries, items, item_bias, seen, excluded_items)
        wanted = arrays.indices(targets, wide=True)
        ranks = np.zeros(queries.shape[0], dtype=np.int64)
        self.library.call(
            "target_ranks",
            c_void_p(ranks.ctypes.data),
            self.handle,
            byref(query),
            byref(wanted),
            None,
        )
        return ranks


class State:
    """A saved state. It keeps the arrays of its batch alive, which it looks at."""

    def __init__(self, context: Context, loss: Loss, batch: Batch) -> None:
        self.library, self.batch = context.library, batch
        self.handle, self.arrays = c_void_p(), Arrays()
        self.result = Result()
        value = c_double()
        outputs = Gradients((), batch, 1.0, None)
        outputs.ask_for_tokens(self.result, batch.hidden.shape[0])
        options, struct = loss.options(self.arrays), batch.struct(self.arrays)
        self.library.call(
            f"{loss.name}_forward",
            byref(self.handle),
            byref(value),
            context.handle,
            byref(options),
            byref(struct),
            byref(outputs.struct),
            byref(self.result.report),
        )
        self.result.loss = value.value

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self.library.call("state_release", self.handle)
        self.handle = c_void_p()

    def backward(
        self,
        gradients: Iterable[str],
        upstream: float | FloatArray = 1.0,
        row_capacity: int | None = None,
    ) -> Result:
        result = Result(loss=self.result.loss)
        outputs = Gradients(gradients, self.batch, upstream, row_capacity)
        self.library.call(
            "backward", self.handle, byref(outputs.struct), byref(result.report)
        )
        return outputs.put_in(result)

    def selection(self) -> Selection:
        """The blocks that the loss chose."""
        sizes = [c_int64() for _ in range(3)]
        self.library.call(
            "state_selection_size", *(byref(size) for size in sizes), self.handle
        )
        blocks, tokens, items = (size.value for size in sizes)
        arrays = [
            np.zeros(blocks + 1, dtype=np.int64),
            np.zeros(tokens, dtype=np.int32),
            np.zeros(blocks + 1, dtype=np.int64),
            np.zeros(items, dtype=np.int32),
        ]
        pointers = (c_void_p(array.ctypes.data) for array in arrays)
        self.library.call("state_get_selection", *pointers, self.handle)
        return Selection(
            tokens=np.split(arrays[1], arrays[0][1:-1])[:blocks],
            items=np.split(arrays[3], arrays[2][1:-1])[:blocks],
        )

    def winners(self) -> NDArray[np.int32]:
        """The block through which each token's gradient flows; -1 for none."""
        winners = np.zeros(self.batch.hidden.shape[0], dtype=np.int32)
        self.library.call(
            "state_get_winners",
            c_void_p(winners.ctypes.data),
            winners.size,
            self.handle,
        )
        return winners
