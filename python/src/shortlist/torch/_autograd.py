"""The losses as nodes of PyTorch's graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .._results import Gradients, LossResult, Report
from . import _tensors as tensors


@dataclass
class Call:
    """A loss with its options, and what it is asked for."""

    evaluate: Callable[..., LossResult]
    options: dict[str, Any]
    reduction: str
    sparse_grad: bool
    scale: float
    report: Report | None = None


@dataclass(frozen=True)
class Inputs:
    """The tensors of a call: hidden (N, d), weight (C, d), bias (C), scale (), targets (N),
    token_weights (N)."""

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None
    scale: Tensor | None
    targets: Tensor
    token_weights: Tensor | None

    def run(self, call: Call, **asked: Any) -> LossResult:
        """The loss of these tensors."""
        scale = call.scale if self.scale is None else self.scale.item()
        weights = self.token_weights
        return call.evaluate(
            tensors.host(self.hidden),
            tensors.host(self.weight),
            tensors.host_targets(self.targets),
            item_bias=None if self.bias is None else tensors.host(self.bias),
            weights=None if weights is None else tensors.host(weights),
            scale=scale,
            reduction=call.reduction,
            **call.options,
            **asked,
        )

    def names(self, call: Call, wanted: tuple[bool, ...]) -> tuple[str, ...]:
        """The gradients to ask for, of (hidden, weight, bias, scale)."""
        rows = call.sparse_grad and wanted[1]
        names = ("hidden", "catalog_rows" if rows else "catalog", "bias", "scale")
        return tuple(name for name, want in zip(names, wanted) if want)

    def tensors_of(
        self, gradients: Gradients
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
        """Gradients in the layout, dtype and place of their inputs."""
        hidden = weight = bias = scale = None
        if gradients.hidden is not None:
            hidden = tensors.like(gradients.hidden, self.hidden)
        if gradients.catalog is not None:
            weight = tensors.like(gradients.catalog, self.weight)
        rows = gradients.catalog_rows
        if rows is not None:
            ids = torch.from_numpy(rows.ids).to(self.weight.device, torch.int64)
            values = tensors.like(rows.rows, self.weight)
            # The ids are distinct and ascend, which makes this coalesced.
            weight = torch.sparse_coo_tensor(
                ids.unsqueeze(0),
                values,
                self.weight.shape,
                is_coalesced=True,
                check_invariants=False,
            )
            if rows.bias is not None and self.bias is not None:
                bias = torch.zeros_like(self.bias)
                bias[ids] = tensors.like(rows.bias, self.bias)
        if gradients.bias is not None and self.bias is not None:
            bias = tensors.like(gradients.bias, self.bias)
        if gradients.scale is not None and self.scale is not None:
            scale = torch.full_like(self.scale, gradients.scale)
        return hidden, weight, bias, scale


class _ScalarLoss(torch.autograd.Function):
    """mean and sum: one number comes from above, so that forward can make the gradients in
    the one call that computes the loss, where selecting and scoring are shared."""

    @staticmethod
    def forward(
        ctx: Any,
        call: Call,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        scale: Tensor | None,
        targets: Tensor,
        token_weights: Tensor | None,
    ) -> Tensor:
        inputs = Inputs(hidden, weight, bias, scale, targets, token_weights)
        ctx.call = call
        ctx.names = inputs.names(call, ctx.needs_input_grad[1:5])
        ctx.save_for_backward(hidden, weight, bias, scale, targets, token_weights)
        result = inputs.run(call, gradients=ctx.names)
        call.report = result.report
        ctx.gradients = inputs.tensors_of(result.gradients)
        return hidden.new_tensor(result.loss, dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        return _backward_scalar(ctx, upstream)


@tensors.eager
def _backward_scalar(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    _refuse_second_order()
    gradients, ctx.gradients = ctx.gradients, None
    if gradients is None:
        # A second backward. The first has given the gradients away, so that nobody needs
        # to hold a copy of C x d numbers; the same seed and step give the same ones again.
        # Reading the saved tensors is an error where the graph was not retained, or where
        # one of them has changed.
        inputs = Inputs(*ctx.saved_tensors)
        gradients = inputs.tensors_of(
            inputs.run(ctx.call, gradients=ctx.names).gradients
        )
    factor = upstream.item()
    if factor != 1.0:
        for gradient in gradients:
            if gradient is not None:
                gradient.mul_(factor)
    return (None, *gradients, None, None)


class _TokenLosses(torch.autograd.Function):
    """none: a number for each token comes from above; a saved state waits for them."""

    @staticmethod
    def forward(
        ctx: Any,
        call: Call,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        scale: Tensor | None,
        targets: Tensor,
        token_weights: Tensor | None,
    ) -> Tensor:
        inputs = Inputs(hidden, weight, bias, scale, targets, token_weights)
        ctx.names = inputs.names(call, ctx.needs_input_grad[1:5])
        ctx.save_for_backward(hidden, weight, bias, scale, targets, token_weights)
        result = inputs.run(call, per_token=True, keep_state=True)
        call.report = result.report
        ctx.state = result.state
        return torch.from_numpy(result.token_losses).to(hidden.device)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        return _backward_tokens(ctx, upstream)


@tensors.eager
def _backward_tokens(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    _refuse_second_order()
    inputs = Inputs(*ctx.saved_tensors)  # also checks that none of them has changed
    gradients, _ = ctx.state.backward(ctx.names, tensors.host(upstream))
    return (None, *inputs.tensors_of(gradients), None, None)


def _refuse_second_order() -> None:
    # PyTorch runs backward with gradients enabled to differentiate it once more, and would
    # take what comes from here for constants without a word.
    if torch.is_grad_enabled():
        raise RuntimeError(
            "gradients of gradients (create_graph=True) are not supported by the losses of "
            "shortlist.torch"
        )


def apply(call: Call, inputs: Inputs) -> Tensor:
    """The loss, () or (N,) float32, on the device of `hidden`."""
    arguments = (
        inputs.hidden,
        inputs.weight,
        inputs.bias,
        inputs.scale,
        inputs.targets,
        inputs.token_weights,
    )
    differentiable = torch.is_grad_enabled() and any(
        tensor is not None and tensor.requires_grad for tensor in arguments
    )
    per_token = call.reduction == "none"
    if differentiable:
        function = _TokenLosses if per_token else _ScalarLoss
        loss: Tensor = function.apply(call, *arguments)  # type: ignore[no-untyped-call]
        return loss
    result = inputs.run(call, per_token=per_token)
    call.report = result.report
    if result.token_losses is not None:
        return torch.from_numpy(result.token_losses).to(inputs.hidden.device)
    return torch.tensor(result.loss, dtype=torch.float32, device=inputs.hidden.device)
