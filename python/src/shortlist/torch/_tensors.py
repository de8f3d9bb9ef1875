"""Tensors in: checked by name, converted only where that is documented."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])


def eager(function: Function) -> Function:
    """Keeps torch.compile out: the graph breaks here, and nothing is traced."""
    disable = cast(Any, torch.compiler.disable)
    return cast(Function, disable(function))


_HALF = (torch.float16, torch.bfloat16)


def check_tensor(value: Any, name: str, dimensions: int | None = None) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} is a {type(value).__name__}; wanted a torch.Tensor")
    if value.layout != torch.strided:
        raise TypeError(f"{name} has the layout {value.layout}; wanted torch.strided")
    if dimensions is not None and value.dim() != dimensions:
        raise ValueError(
            f"{name} has the shape {tuple(value.shape)}; wanted {dimensions} dimensions"
        )
    return value


def check_float(value: Any, name: str, dimensions: int | None = None) -> Tensor:
    tensor = check_tensor(value, name, dimensions)
    if tensor.dtype != torch.float32 and tensor.dtype not in _HALF:
        raise TypeError(
            f"{name} has the dtype {tensor.dtype}; wanted torch.float32 (torch.float16 and "
            "torch.bfloat16 are converted to it)"
        )
    return tensor


def check_devices(allow_copy: bool, **tensors: Tensor | None) -> None:
    """All in host memory, unless copies are allowed."""
    for name, tensor in tensors.items():
        if tensor is None or tensor.device.type == "cpu":
            continue
        if tensor.device.type == "meta":
            raise TypeError(f"{name} is on the device meta, which holds no numbers")
        if not allow_copy:
            raise TypeError(
                f"{name} is on {tensor.device}; this version computes in host memory. "
                "Choose: move the tensors to the CPU (.cpu()), or pass allow_copy=True to "
                "have them copied to the host and gradients copied back in every step"
            )


def host(tensor: Tensor) -> NDArray[np.float32]:
    """A float tensor as a float32 array: over the same memory where it can be.

    A copy is made of float16 and bfloat16, of what is on another device, and of a matrix
    whose rows do not lie side by side.
    """
    tensor = tensor.detach().to("cpu", torch.float32)
    if tensor.dim() == 2:
        rows, columns = tensor.shape
        if (columns > 1 and tensor.stride(1) != 1) or (
            rows > 1 and tensor.stride(0) < columns
        ):
            tensor = tensor.contiguous()
    else:
        tensor = tensor.contiguous()
    array: NDArray[np.float32] = tensor.numpy()
    return array


def host_targets(tensor: Tensor) -> NDArray[Any]:
    """Targets in host memory, as they are: int32 or int64."""
    array: NDArray[Any] = tensor.detach().to("cpu").contiguous().numpy()
    return array


def like(array: NDArray[np.float32], tensor: Tensor) -> Tensor:
    """A gradient as a tensor of the dtype and on the device of its input."""
    return torch.from_numpy(array).to(tensor.device, tensor.dtype)
