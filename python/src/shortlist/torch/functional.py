"""The losses as functions of tensors."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from .. import _losses
from .._results import Selection
from . import _tensors as tensors
from ._autograd import Call, Inputs, apply

if TYPE_CHECKING:
    from typing_extensions import TypedDict, Unpack

    class LossOptions(TypedDict, total=False):
        """The keywords that all losses take."""

        token_weights: Tensor | None
        """Importance of each token, ≥ 0, of the shape of `targets`; None: each 1. "mean"
        divides by their sum. (Class weights w are `token_weights=w[targets]`.)"""
        ignore_index: int | None
        """Tokens with this target take part in nothing. Default −100; None: no token."""
        reduction: Literal["mean", "sum", "none"]
        """Default "mean", over the tokens that count; "none" gives the shape of `targets`."""
        scale: float | Tensor
        """1 / temperature, > 0, multiplies hidden · weight. Default 1. A tensor of one
        element may require a gradient."""
        denominator: float | None
        """What "mean" divides by instead, for gradient accumulation."""
        excluded_items: Any
        """Items that are never candidates, a padding row for example: whole numbers."""
        sparse_grad: bool
        """Give `weight` a sparse COO gradient of the rows touched (torch.optim.SparseAdam,
        SGD). The gradient of `bias` stays dense. Default False."""
        allow_copy: bool
        """Copy tensors that are not in host memory there and gradients back. Default
        False: an error instead."""
        threads: int | None
        """Worker threads; None: torch.get_num_threads()."""
        backend: str | None
        """"cpu", …; None: the best that can run here."""
        device: int
        """Index among the devices of the named backend; −1: the best."""
        workspace_limit: int
        """Bytes that a call may use beside inputs and outputs; 0: no limit."""


def cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None = None,
    **options: Unpack[LossOptions],
) -> Tensor:
    """Exact cross-entropy of ``hidden @ weight.T + bias`` without storing the logits.

    The numbers of ``F.cross_entropy(F.linear(hidden, weight, bias), targets)``, but that a
    batch without valid tokens has the loss 0.

    Args:
        hidden: (…, d) float32, (N, d) or (B, L, d) for example.
        weight: (C, d) float32, the output layer's weight.
        targets: int32 or int64 of the shape of `hidden` without its last dimension.
        bias: (C,) float32, or None; minus infinity leaves an item out.
        **options: `LossOptions`.

    Returns:
        () float32, or with reduction "none" float32 of the shape of `targets`.

    float16 and bfloat16 tensors are converted to float32, and their gradients back; so is
    what autocast hands in. Other dtypes are a `TypeError`. float32 tensors in host memory
    are not copied, unless the elements of a row are apart. Gradients of gradients are
    refused. Any number of threads may call.
    """
    return run(_losses.cross_entropy, {}, hidden, weight, targets, bias, **options)[0]


def sce(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None = None,
    *,
    bucket_count: int = 0,
    tokens_per_bucket: int = 0,
    items_per_bucket: int = 0,
    directions: Literal["mix", "gaussian", "given"] = "mix",
    given_directions: Tensor | None = None,
    combination: Literal["max", "union"] = "max",
    seed: int = 0,
    step: int = 0,
    **options: Unpack[LossOptions],
) -> Tensor:
    """Scalable cross-entropy (arXiv 2409.18721): see `shortlist.sce` for its parameters.

    Args:
        hidden, weight, targets, bias: as for `cross_entropy`.
        step: hand in another with every training step; `SCELoss` does so by itself.
        given_directions: (bucket_count, d) float32 in host memory, with "given".
        **options: `LossOptions`.

    Returns, dtypes and errors as for `cross_entropy`.
    """
    own = {
        "bucket_count": bucket_count,
        "tokens_per_bucket": tokens_per_bucket,
        "items_per_bucket": items_per_bucket,
        "directions": directions,
        "given_directions": _detached(given_directions),
        "combination": combination,
        "seed": seed,
        "step": step,
    }
    return run(_losses.sce, own, hidden, weight, targets, bias, **options)[0]


def rece(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None = None,
    *,
    bucket_count: int = 0,
    chunk_count: int = 0,
    neighbour_chunks: int = 1,
    rounds: int = 1,
    directions: Literal["gaussian", "given"] = "gaussian",
    given_directions: Tensor | None = None,
    seed: int = 0,
    step: int = 0,
    **options: Unpack[LossOptions],
) -> Tensor:
    """Reduced cross-entropy (arXiv 2408.02354): see `shortlist.rece` for its parameters.

    Args:
        hidden, weight, targets, bias: as for `cross_entropy`.
        step: hand in another with every training step; `RECELoss` does so by itself.
        given_directions: (rounds · bucket_count, d) float32 in host memory, with "given".
        **options: `LossOptions`.

    Returns, dtypes and errors as for `cross_entropy`.
    """
    own = {
        "bucket_count": bucket_count,
        "chunk_count": chunk_count,
        "neighbour_chunks": neighbour_chunks,
        "rounds": rounds,
        "directions": directions,
        "given_directions": _detached(given_directions),
        "seed": seed,
        "step": step,
    }
    return run(_losses.rece, own, hidden, weight, targets, bias, **options)[0]


def given_candidates(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    selection: Selection,
    bias: Tensor | None = None,
    *,
    combination: Literal["max", "union"] = "max",
    **options: Unpack[LossOptions],
) -> Tensor:
    """Cross-entropy over your own candidate blocks: see `shortlist.given_candidates`.

    Args:
        hidden, weight, targets, bias: as for `cross_entropy`.
        selection: its tokens are rows of ``hidden.reshape(-1, d)``.
        **options: `LossOptions`.

    Returns, dtypes and errors as for `cross_entropy`.
    """
    own = {"selection": selection, "combination": combination}
    return run(_losses.given_candidates, own, hidden, weight, targets, bias, **options)[
        0
    ]


@tensors.eager
def run(
    evaluate: Any,
    own: dict[str, Any],
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    *,
    token_weights: Tensor | None = None,
    ignore_index: int | None = -100,
    reduction: str = "mean",
    scale: float | Tensor = 1.0,
    denominator: float | None = None,
    excluded_items: Any = None,
    sparse_grad: bool = False,
    allow_copy: bool = False,
    threads: int | None = None,
    backend: str | None = None,
    device: int = -1,
    workspace_limit: int = 0,
) -> tuple[Tensor, Call]:
    """Checks tensors by name and computes; the call has the report."""
    tensors.check_float(hidden, "hidden")
    tensors.check_float(weight, "weight", 2)
    tensors.check_tensor(targets, "targets")
    if targets.dtype not in (torch.int64, torch.int32):
        raise TypeError(
            f"targets has the dtype {targets.dtype}; wanted torch.int64 or torch.int32"
        )
    if hidden.dim() < 2 or hidden.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"hidden has the shape {tuple(hidden.shape)} and weight {tuple(weight.shape)}; "
            "wanted (…, d) and (C, d)"
        )
    if targets.shape != hidden.shape[:-1]:
        raise ValueError(
            f"targets has the shape {tuple(targets.shape)}; wanted "
            f"{tuple(hidden.shape[:-1])}, that of hidden without its last dimension"
        )
    if bias is not None:
        tensors.check_float(bias, "bias", 1)
    if token_weights is not None:
        tensors.check_float(token_weights, "token_weights")
        if token_weights.shape != targets.shape:
            raise ValueError(
                f"token_weights has the shape {tuple(token_weights.shape)}; wanted "
                f"{tuple(targets.shape)}, that of targets"
            )
        if token_weights.requires_grad:
            raise ValueError(
                "token_weights requires a gradient, which is not computed; detach it, or "
                'multiply the losses of reduction="none" by it'
            )
    learned = None
    if isinstance(scale, Tensor):
        learned, scale = _one_number(scale), 1.0
    tensors.check_devices(
        allow_copy,
        hidden=hidden,
        weight=weight,
        targets=targets,
        bias=bias,
        token_weights=token_weights,
        scale=learned,
    )
    call = Call(
        evaluate,
        {
            **own,
            "ignore_index": ignore_index,
            "denominator": denominator,
            "excluded_items": excluded_items,
            "threads": torch.get_num_threads() if threads is None else threads,
            "backend": backend,
            "device": device,
            "workspace_limit": workspace_limit,
        },
        reduction,
        sparse_grad,
        scale,
    )
    inputs = Inputs(
        hidden.reshape(-1, hidden.shape[-1]),
        weight,
        bias,
        learned,
        targets.reshape(-1),
        None if token_weights is None else token_weights.reshape(-1),
    )
    loss = apply(call, inputs)
    return (loss.reshape(targets.shape) if reduction == "none" else loss), call


OPTIONS = frozenset(inspect.signature(run).parameters) - {
    "evaluate",
    "own",
    "hidden",
    "weight",
    "targets",
    "bias",
}
"""The names of `LossOptions`."""


def _one_number(scale: Tensor) -> Tensor:
    if scale.numel() != 1 or not scale.is_floating_point():
        raise ValueError(
            f"scale is a tensor of shape {tuple(scale.shape)} and dtype {scale.dtype}; "
            "wanted one floating-point number"
        )
    return scale


def _detached(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach()
