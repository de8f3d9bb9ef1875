"""Cross-entropy for output layers too large to materialise.

Functions of NumPy arrays, and of whatever else has DLPack or the buffer protocol:

    import shortlist

    result = shortlist.sce(
        hidden, items, targets, seed=7, step=0, gradients=("hidden", "catalog_rows")
    )
    result.loss, result.gradients.hidden, result.gradients.catalog_rows

`shortlist.torch` has loss modules for PyTorch, `shortlist.metrics` ranking metrics.
"""

from ._arrays import Array, ItemLists
from ._catalog import Catalog
from ._context import backends
from ._errors import (
    BackendUnavailableError,
    BusyError,
    CancelledError,
    DeviceLostError,
    ExcludedTargetError,
    ForkedError,
    IndexOutOfRangeError,
    InternalError,
    InvalidArgumentError,
    InvalidHandleError,
    InvalidWeightError,
    NumericalFailureError,
    OutOfMemoryError,
    OverlappingMemoryError,
    RoomTooSmallError,
    ShortlistError,
    SizeOverflowError,
    TargetOutOfRangeError,
    UnknownBackendError,
    UnsupportedError,
    WorkspaceLimitError,
)
from ._loader import PATH as library_path
from ._losses import cross_entropy, given_candidates, rece, sce
from ._random import philox_normal
from ._results import (
    BackwardResult,
    Device,
    Gradients,
    LossResult,
    Report,
    RowGradient,
    Selection,
    TargetRanks,
    TopK,
)
from ._retrieval import target_ranks, top_k
from ._states import SavedState
from ._version import __version__

__all__ = [
    "Array",
    "BackendUnavailableError",
    "BackwardResult",
    "BusyError",
    "CancelledError",
    "Catalog",
    "Device",
    "DeviceLostError",
    "ExcludedTargetError",
    "ForkedError",
    "Gradients",
    "IndexOutOfRangeError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidHandleError",
    "InvalidWeightError",
    "ItemLists",
    "LossResult",
    "NumericalFailureError",
    "OutOfMemoryError",
    "OverlappingMemoryError",
    "Report",
    "RoomTooSmallError",
    "RowGradient",
    "SavedState",
    "Selection",
    "ShortlistError",
    "SizeOverflowError",
    "TargetOutOfRangeError",
    "TargetRanks",
    "TopK",
    "UnknownBackendError",
    "UnsupportedError",
    "WorkspaceLimitError",
    "__version__",
    "backends",
    "cross_entropy",
    "given_candidates",
    "library_path",
    "philox_normal",
    "rece",
    "sce",
    "target_ranks",
    "top_k",
]
