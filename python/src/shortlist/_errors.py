"""A status of the library as an exception: one class for each."""

from __future__ import annotations

from ._library import STATUS


class ShortlistError(Exception):
    """A call that failed; every other exception of the library derives from this one.

    Attributes:
        status: the number that the C library gave, negative.
        status_name: its name there, ``"SHORTLIST_BUSY"``.
        need: bytes for `WorkspaceLimitError`, rows for `RoomTooSmallError`, else 0.
    """

    status: int = 0
    status_name: str = ""
    need: int = 0


class InvalidArgumentError(ShortlistError, ValueError):
    """A shape, size or option that no call accepts."""


class TargetOutOfRangeError(ShortlistError, IndexError):
    """A target outside 0 … C − 1 that is not the ignore index."""


class ExcludedTargetError(ShortlistError, ValueError):
    """An excluded item, or one whose bias is minus infinity, as a target."""


class InvalidWeightError(ShortlistError, ValueError):
    """A weight, scale, denominator or log-weight that is negative or not finite."""


class OverlappingMemoryError(ShortlistError, ValueError):
    """An output shares memory with an input or with another output."""


class WorkspaceLimitError(ShortlistError, MemoryError):
    """`workspace_limit` is below the least that the call needs: `need`, in bytes."""


class OutOfMemoryError(ShortlistError, MemoryError):
    """The system refused memory."""


class RoomTooSmallError(ShortlistError, ValueError):
    """Too few rows of room for a row-sparse gradient: `need` is how many it takes."""


class UnsupportedError(ShortlistError, NotImplementedError):
    """Known, and not done by this version or backend."""


class BackendUnavailableError(ShortlistError, RuntimeError):
    """The backend or device cannot run here; the message says why."""


class UnknownBackendError(ShortlistError, ValueError):
    """No backend of that name."""


class BusyError(ShortlistError, RuntimeError):
    """The context is in the middle of a call, on this thread or on another."""


class InvalidHandleError(ShortlistError, RuntimeError):
    """A context, catalog or state that has been released."""


class ForkedError(ShortlistError, RuntimeError):
    """Made before ``fork()`` and used in the child process."""


class CancelledError(ShortlistError, RuntimeError):
    """The call was stopped before it ended."""


class NumericalFailureError(ShortlistError, ArithmeticError):
    """A step that cannot be completed in floating point."""


class IndexOutOfRangeError(ShortlistError, IndexError):
    """A candidate, excluded, seen or updated item outside its range."""


class DeviceLostError(ShortlistError, RuntimeError):
    """The device is gone."""


class SizeOverflowError(ShortlistError, OverflowError):
    """Sizes whose product does not fit 63 bits."""


class InternalError(ShortlistError, RuntimeError):
    """A bug in the library; please report the message."""


_CLASSES: dict[str, type[ShortlistError]] = {
    "INVALID_ARGUMENT": InvalidArgumentError,
    "TARGET_OUT_OF_RANGE": TargetOutOfRangeError,
    "EXCLUDED_TARGET": ExcludedTargetError,
    "INVALID_WEIGHT": InvalidWeightError,
    "OVERLAPPING_MEMORY": OverlappingMemoryError,
    "WORKSPACE_LIMIT": WorkspaceLimitError,
    "OUT_OF_MEMORY": OutOfMemoryError,
    "ROOM_TOO_SMALL": RoomTooSmallError,
    "UNSUPPORTED": UnsupportedError,
    "BACKEND_UNAVAILABLE": BackendUnavailableError,
    "UNKNOWN_BACKEND": UnknownBackendError,
    "BUSY": BusyError,
    "INVALID_HANDLE": InvalidHandleError,
    "FORKED": ForkedError,
    "CANCELLED": CancelledError,
    "NUMERICAL_FAILURE": NumericalFailureError,
    "INDEX_OUT_OF_RANGE": IndexOutOfRangeError,
    "DEVICE_LOST": DeviceLostError,
    "OVERFLOW": SizeOverflowError,
    "INTERNAL_ERROR": InternalError,
}
CLASS_OF_STATUS: dict[int, type[ShortlistError]] = {}
for _name, _class in _CLASSES.items():
    # The number belongs to the class, so that an error made from its message alone (as
    # PyTorch does with those of a worker process) has it too.
    _class.status, _class.status_name = STATUS[_name], f"SHORTLIST_{_name}"
    CLASS_OF_STATUS[STATUS[_name]] = _class


def make_error(status: int, name: str, message: str, need: int) -> ShortlistError:
    """The exception of a status; an unknown one gives a plain `ShortlistError`."""
    error = CLASS_OF_STATUS.get(status, ShortlistError)(message)
    error.status, error.status_name, error.need = status, name, need
    return error
