"""The caller's arrays as the library takes them: checked, never copied."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from ._library import FLOAT32, INT32, INT64, Indices, Lists, Matrix

if TYPE_CHECKING:
    from typing_extensions import Buffer

FloatArray: TypeAlias = NDArray[np.float32]
Int32Array: TypeAlias = NDArray[np.int32]
Int64Array: TypeAlias = NDArray[np.int64]


class SupportsDLPack(Protocol):
    """What PyTorch, JAX, CuPy and others offer."""

    def __dlpack__(self, *, stream: Any = None) -> Any: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


Array: TypeAlias = Union[NDArray[Any], SupportsDLPack, "Buffer"]
"""A NumPy array, or anything in host memory with DLPack or the buffer protocol."""

# Of DLPack's device types those whose memory the processor reads: CPU, pinned by CUDA,
# pinned by ROCm.
_HOST = {1, 3, 11}
_DEVICES = {2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 14: "oneAPI"}

_F32, _I32, _I64 = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.int64)


def view(value: Any, name: str) -> NDArray[Any]:
    """`value` as a NumPy array over the same memory."""
    if isinstance(value, np.ndarray):
        if isinstance(value, np.ma.MaskedArray):
            raise TypeError(f"{name} is a masked array; wanted a plain one")
        return value
    if hasattr(value, "__dlpack_device__"):
        kind = int(value.__dlpack_device__()[0])
        if kind not in _HOST:
            device = _DEVICES.get(kind, f"DLPack's number {kind}")
            raise TypeError(
                f"{name} is on a device ({device}); wanted an array in host memory"
            )
        try:
            return np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            raise TypeError(
                f"{name} (a {type(value).__name__}) cannot be read through DLPack: {error}"
            ) from error
    try:
        return np.asarray(memoryview(value))
    except TypeError:
        kind_of = type(value).__name__
        raise TypeError(
            f"{name} is a {kind_of}; wanted an array: NumPy, DLPack or buffer protocol"
        ) from None


def _wrong_dtype(name: str, array: NDArray[Any], wanted: str) -> TypeError:
    return TypeError(f"{name} has the dtype {array.dtype}; wanted {wanted}")


def _address(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _check_usable(name: str, array: NDArray[Any], output: bool) -> None:
    if not array.flags.aligned:
        raise ValueError(
            f"{name} is not aligned to its {array.dtype} elements; wanted an aligned array"
        )
    if output and not array.flags.writeable:
        raise ValueError(f"{name} is read-only; wanted an array to write to")


class Arrays:
    """The arrays of one call, kept alive as long as this object lives."""

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept: list[NDArray[Any]] = []

    def matrix(
        self,
        value: Any,
        name: str,
        rows: int | None = None,
        columns: int | None = None,
        *,
        output: bool = False,
    ) -> Matrix:
        """A float32 matrix. Rows may lie apart, the elements of a row may not."""
        array = view(value, name)
        if array.dtype != _F32:
            raise _wrong_dtype(name, array, "float32")
        shape = array.shape
        if (
            len(shape) != 2
            or (rows is not None and shape[0] != rows)
            or (columns is not None and shape[1] != columns)
        ):
            wanted = f"({_size(rows, 'rows')}, {_size(columns, 'columns')})"
            raise ValueError(f"{name} has the shape {shape}; wanted {wanted}")
        height, width = shape
        stride = width
        if array.flags.c_contiguous:
            pass
        elif (
            (width > 1 and array.strides[1] != 4)
            or array.strides[0] % 4
            or (height > 1 and array.strides[0] < 4 * width)
        ):
            raise ValueError(
                f"{name} has the strides {array.strides} bytes; wanted the elements of "
                f"each row side by side, as numpy.ascontiguousarray({name}) has them"
            )
        elif height > 1:
            stride = array.strides[0] // 4
        _check_usable(name, array, output)
        self.kept.append(array)
        return Matrix(_address(array), height, width, stride, FLOAT32, 0)

    def vector(
        self,
        value: Any,
        name: str,
        count: int | None,
        dtype: np.dtype[Any] = _F32,
        *,
        output: bool = False,
    ) -> int:
        """The address of `count` numbers that lie side by side."""
        array = view(value, name)
        if array.dtype != dtype:
            raise _wrong_dtype(name, array, str(dtype))
        if array.ndim != 1 or (count is not None and array.shape[0] != count):
            raise ValueError(
                f"{name} has the shape {array.shape}; wanted ({_size(count, 'count')},)"
            )
        self._check_contiguous(array, name)
        _check_usable(name, array, output)
        self.kept.append(array)
        return _address(array)

    def targets(self, value: Any, name: str, count: int) -> Indices:
        """int32 or int64 numbers."""
        array = view(value, name)
        kind = array.dtype
        if kind != _I64 and kind != _I32:
            raise _wrong_dtype(name, array, "int32 or int64")
        if array.shape != (count,):
            raise ValueError(
                f"{name} has the shape {array.shape}; wanted ({count},), one for each row"
            )
        self._check_contiguous(array, name)
        _check_usable(name, array, False)
        self.kept.append(array)
        return Indices(_address(array), count, INT64 if kind == _I64 else INT32, 0)

    def indices(self, value: Any, name: str) -> Indices:
        """Item numbers: an array of int32, or whole numbers one by one."""
        if value is None:
            return Indices()
        array = _numbers(value, name)
        self.kept.append(array)
        return Indices(_address(array), array.size, INT32, 0)

    def lists(self, value: Any, name: str) -> Lists:
        """An `ItemLists`, or a sequence of arrays of int32 or of whole numbers."""
        if value is None:
            return Lists()
        if not isinstance(value, ItemLists):
            value = ItemLists.of(value, name)
        offsets = self.vector(value.offsets, f"{name}.offsets", None, _I64)
        items = self.vector(value.items, f"{name}.items", None, _I32)
        ends, last = self.kept[-2], self.kept[-1].size
        if (
            ends.size == 0
            or ends[0] != 0
            or ends[-1] != last
            or np.any(np.diff(ends) < 0)
        ):
            raise ValueError(
                f"{name}.offsets must begin at 0, never fall, and end at {last}, the "
                f"number of items; they are {ends}"
            )
        return Lists(offsets, items, ends.size - 1)

    @staticmethod
    def _check_contiguous(array: NDArray[Any], name: str) -> None:
        if not array.flags.c_contiguous:
            raise ValueError(
                f"{name} has the strides {array.strides} bytes; wanted elements side by "
                f"side, as numpy.ascontiguousarray({name}) has them"
            )


class ItemLists(NamedTuple):
    """Lists of items of different lengths, without a Python object for each.

    List i is ``items[offsets[i]:offsets[i + 1]]``.

    Attributes:
        offsets: int64, one more than there are lists; begins at 0, never falls.
        items: int32, item numbers.
    """

    offsets: Int64Array
    items: Int32Array

    @staticmethod
    def of(lists: Iterable[Any], name: str = "lists") -> ItemLists:
        """From a sequence of int32 arrays or of sequences of whole numbers.

        Copies; make it once for lists that are used again and again.
        """
        rows = [_numbers(row, f"{name}[{i}]") for i, row in enumerate(lists)]
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        if not rows:
            return ItemLists(offsets, np.empty(0, dtype=np.int32))
        np.cumsum([row.size for row in rows], out=offsets[1:])
        return ItemLists(offsets, np.concatenate(rows))


def _numbers(value: Any, name: str) -> Int32Array:
    if isinstance(value, Sequence) and not isinstance(value, (bytes, str, memoryview)):
        try:
            wide = np.array([operator.index(number) for number in value], np.int64)
        except (TypeError, OverflowError) as error:
            raise type(error)(
                f"{name} must hold whole numbers below 2^31: {error}"
            ) from None
        narrow = wide.astype(np.int32)
        if not np.array_equal(wide, narrow):
            raise OverflowError(f"{name} must hold whole numbers below 2^31: {value}")
        return narrow
    array = view(value, name)
    if array.dtype != _I32:
        raise _wrong_dtype(name, array, "int32")
    if array.ndim != 1:
        raise ValueError(f"{name} has the shape {array.shape}; wanted one dimension")
    Arrays._check_contiguous(array, name)
    _check_usable(name, array, False)
    return array


def _size(number: int | None, name: str) -> str:
    return name if number is None else str(number)
