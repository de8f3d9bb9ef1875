"""The C interface as ctypes declarations: constants, structs, signatures, nothing else.

The one place that repeats `include/shortlist.h`. A test compares it with the header:
names, signatures, constants, sizes, offsets and the defaults of the `_INIT` macros.
The header is the manual of what stands here.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    POINTER,
    c_char,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, ClassVar

# ---- constants ----

OK = 0
STATUS: dict[str, int] = {
    "INVALID_ARGUMENT": -1,
    "TARGET_OUT_OF_RANGE": -2,
    "EXCLUDED_TARGET": -3,
    "INVALID_WEIGHT": -4,
    "OVERLAPPING_MEMORY": -5,
    "WORKSPACE_LIMIT": -6,
    "OUT_OF_MEMORY": -7,
    "ROOM_TOO_SMALL": -8,
    "UNSUPPORTED": -9,
    "BACKEND_UNAVAILABLE": -10,
    "UNKNOWN_BACKEND": -11,
    "BUSY": -12,
    "INVALID_HANDLE": -13,
    "FORKED": -14,
    "CANCELLED": -15,
    "NUMERICAL_FAILURE": -16,
    "INDEX_OUT_OF_RANGE": -17,
    "DEVICE_LOST": -18,
    "OVERFLOW": -19,
    "INTERNAL_ERROR": -99,
}
FLOAT32, INT32, INT64 = 1, 16, 17
REDUCTION: dict[str, int] = {"mean": 0, "sum": 1, "none": 2}
CATALOG_GRADIENT: dict[str, int] = {"none": 0, "store": 1, "add": 2, "rows": 3}
DIRECTIONS: dict[str, int] = {"mix": 0, "gaussian": 1, "given": 2}
COMBINATION: dict[str, int] = {"max": 0, "union": 1}
STREAM: dict[str, int] = {"directions": 0, "mixing": 1}


# ---- structs ----


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


class Batch(SizedStructure):
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


class Outputs(SizedStructure):
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
    defaults: ClassVar[dict[str, Any]] = {
        "directions": DIRECTIONS["gaussian"],
        "neighbour_chunks": 1,
        "rounds": 1,
    }


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


class Query(SizedStructure):
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


StopCallback = ctypes.CFUNCTYPE(c_int32, c_void_p)


class ContextOptions(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("threads", c_int32),
        ("backend", c_char_p),
        ("device", c_int32),
        ("reserved", c_int32),
        ("workspace_limit", c_int64),
        ("should_stop", StopCallback),
        ("stop_user_data", c_void_p),
    ]
    defaults: ClassVar[dict[str, Any]] = {"device": -1}


class ContextInfo(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("threads", c_int32),
        ("workspace_limit", c_int64),
        ("backend", c_char * 32),
        ("device", c_char * 128),
        ("reason", c_char * 320),
    ]


class DeviceInfo(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("available", c_int32),
        ("score", c_int64),
        ("index", c_int32),
        ("reserved", c_int32),
        ("backend", c_char * 32),
        ("device", c_char * 128),
        ("reason", c_char * 320),
    ]


# The C names of the structs above.
STRUCTS: dict[str, type[ctypes.Structure]] = {
    "matrix": Matrix,
    "mutable_matrix": Matrix,
    "indices": Indices,
    "lists": Lists,
    "batch": Batch,
    "outputs": Outputs,
    "report": Report,
    "cross_entropy_options": CrossEntropyOptions,
    "sce_options": SCEOptions,
    "rece_options": RECEOptions,
    "given_candidates_options": GivenCandidatesOptions,
    "query": Query,
    "context_options": ContextOptions,
    "context_info": ContextInfo,
    "device_info": DeviceInfo,
}


# ---- signatures ----

_handle = c_void_p
_out_handle = POINTER(c_void_p)
_array = c_void_p
_int64 = POINTER(c_int64)
_double = POINTER(c_double)
_report = POINTER(Report)


def _loss(options: type[ctypes.Structure]) -> list[Any]:
    structs = [POINTER(options), POINTER(Batch), POINTER(Outputs), _report]
    return [_double, _handle, *structs]


# Every function of the header, without its prefix: what it returns, what it takes.
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "version": (c_int32, []),
    "version_string": (c_char_p, []),
    "status_name": (c_char_p, [c_int32]),
    "last_error_message": (c_char_p, []),
    "last_error_need": (c_int64, []),
    "kernel_name": (c_char_p, [c_int32]),
    "note_text": (c_char_p, [c_int32]),
    "cross_entropy": (c_int32, _loss(CrossEntropyOptions)),
    "sce": (c_int32, _loss(SCEOptions)),
    "rece": (c_int32, _loss(RECEOptions)),
    "given_candidates": (c_int32, _loss(GivenCandidatesOptions)),
    "cross_entropy_forward": (c_int32, [_out_handle, *_loss(CrossEntropyOptions)]),
    "sce_forward": (c_int32, [_out_handle, *_loss(SCEOptions)]),
    "rece_forward": (c_int32, [_out_handle, *_loss(RECEOptions)]),
    "given_candidates_forward": (
        c_int32,
        [_out_handle, *_loss(GivenCandidatesOptions)],
    ),
    "backward": (c_int32, [_handle, POINTER(Outputs), _report]),
    "top_k": (c_int32, [_array, _array, _handle, POINTER(Query), c_int64, _report]),
    "target_ranks": (
        c_int32,
        [_array, _handle, POINTER(Query), POINTER(Indices), _report],
    ),
    "context_create": (c_int32, [_out_handle, POINTER(ContextOptions)]),
    "context_release": (c_int32, [_handle]),
    "context_get_info": (c_int32, [POINTER(ContextInfo), _handle]),
    "device_count": (c_int32, [_int64]),
    "device_get_info": (c_int32, [POINTER(DeviceInfo), c_int64]),
    "catalog_create": (c_int32, [_out_handle, _handle, POINTER(Matrix), _array]),
    "catalog_update": (c_int32, [_handle]),
    "catalog_update_rows": (c_int32, [_handle, POINTER(Indices)]),
    "catalog_release": (c_int32, [_handle]),
    "state_release": (c_int32, [_handle]),
    "state_selection_size": (c_int32, [_int64, _int64, _int64, _handle]),
    "state_get_selection": (c_int32, [_array, _array, _array, _array, _handle]),
    "state_get_winners": (c_int32, [_array, c_int64, _handle]),
    "philox_block": (c_int32, [_array, _array, _array]),
    "philox_normal": (
        c_int32,
        [POINTER(Matrix), c_uint64, c_uint64, c_int32, c_int64],
    ),
}


def declare(library: ctypes.CDLL) -> None:
    """Gives every function of `library` its signature. AttributeError if one is missing."""
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, f"shortlist_{name}")
        function.restype, function.argtypes = result, arguments
