"""The losses as modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from .. import _losses
from .._results import Report
from . import _tensors as tensors
from . import functional

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .functional import LossOptions


class _Loss(nn.Module):
    """What the modules have in common."""

    _evaluate: Any

    def __init__(self, own: dict[str, Any], options: Any) -> None:
        super().__init__()
        if "token_weights" in options:
            raise TypeError("token_weights goes with the call, not with the module")
        known = functional.OPTIONS
        unknown = set(options) - known
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has no option {sorted(unknown)}; there are "
                f"{sorted(known - {'token_weights'} | set(own))}"
            )
        reduction = options.get("reduction", "mean")
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(
                f"reduction is {reduction!r}; wanted 'mean', 'sum' or 'none'"
            )
        scale = options.get("scale")
        if isinstance(scale, nn.Parameter):
            # Found by parameters(), and so by the optimiser.
            self.scale = scale
        self._own = own
        self._options: dict[str, Any] = dict(options)
        self.report: Report | None = None
        """What the last call did."""

    def extra_repr(self) -> str:
        shown = {**self._own, **self._options}
        return ", ".join(f"{key}={value!r}" for key, value in shown.items())

    def _run(
        self,
        own: dict[str, Any],
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        bias: Tensor | None,
        token_weights: Tensor | None,
    ) -> Tensor:
        options = dict(self._options)
        if isinstance(options.get("scale"), nn.Parameter):
            options["scale"] = self.scale
        loss, call = functional.run(
            self._evaluate,
            own,
            hidden,
            weight,
            targets,
            bias,
            token_weights=token_weights,
            **options,
        )
        self.report = call.report
        return loss


class CrossEntropyLoss(_Loss):
    """Exact cross-entropy of ``hidden @ weight.T + bias`` without storing the logits.

    Args:
        **options: `LossOptions`, but for `token_weights`, which go with the call. A `scale`
            that is an ``nn.Parameter`` becomes one of the module.

    Attributes:
        report: what the last call did (`shortlist.Report`).
    """

    _evaluate = staticmethod(_losses.cross_entropy)

    def __init__(self, **options: Unpack[LossOptions]) -> None:
        super().__init__({}, options)

    @tensors.eager
    def forward(
        self,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        bias: Tensor | None = None,
        *,
        token_weights: Tensor | None = None,
    ) -> Tensor:
        """The loss: see `cross_entropy`."""
        return self._run({}, hidden, weight, targets, bias, token_weights)


class _SampledLoss(_Loss):
    """A loss whose selection differs from step to step."""

    step: Tensor

    def __init__(self, own: dict[str, Any], options: Any) -> None:
        super().__init__(own, options)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    @tensors.eager
    def forward(
        self,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        bias: Tensor | None = None,
        *,
        token_weights: Tensor | None = None,
        step: int | None = None,
    ) -> Tensor:
        """The loss; `step`, where it is given, in place of the module's own."""
        now = int(self.step) if step is None else step
        own = {**self._own, "step": now}
        loss = self._run(own, hidden, weight, targets, bias, token_weights)
        if step is None and self.training:
            self.step += 1
        return loss


class SCELoss(_SampledLoss):
    """Scalable cross-entropy (arXiv 2409.18721): see `shortlist.sce`.

    Every call in training mode uses the next random directions: the buffer `step` counts
    them and is kept in ``state_dict``, so that a resumed run repeats the same selections. In
    evaluation mode `step` stands still, and equal calls have equal results. Where one
    training step calls more than once for the same selection, as activation checkpointing
    does, hand in `step` yourself.

    Args:
        bucket_count, tokens_per_bucket, items_per_bucket: 0 stands for the defaults.
        directions: "mix" or "gaussian".
        combination: "max" or "union".
        seed: of the directions; give modules of one model different ones.
        **options: `LossOptions`, but for `token_weights`, which go with the call.

    Attributes:
        step: () int64 buffer, the number of the next call in training mode.
        report: what the last call did (`shortlist.Report`).
    """

    _evaluate = staticmethod(_losses.sce)

    def __init__(
        self,
        *,
        bucket_count: int = 0,
        tokens_per_bucket: int = 0,
        items_per_bucket: int = 0,
        directions: Literal["mix", "gaussian"] = "mix",
        combination: Literal["max", "union"] = "max",
        seed: int = 0,
        **options: Unpack[LossOptions],
    ) -> None:
        own = {
            "bucket_count": bucket_count,
            "tokens_per_bucket": tokens_per_bucket,
            "items_per_bucket": items_per_bucket,
            "directions": _named("directions", directions, ("mix", "gaussian")),
            "combination": _named("combination", combination, ("max", "union")),
            "seed": seed,
        }
        super().__init__(own, options)


class RECELoss(_SampledLoss):
    """Reduced cross-entropy (arXiv 2408.02354): see `shortlist.rece`.

    `step` and evaluation mode as for `SCELoss`.

    Args:
        bucket_count, chunk_count: 0 stands for the defaults.
        neighbour_chunks: on each side.
        rounds: of hashing.
        seed: of the directions; give modules of one model different ones.
        **options: `LossOptions`, but for `token_weights`, which go with the call.

    Attributes:
        step: () int64 buffer, the number of the next call in training mode.
        report: what the last call did (`shortlist.Report`).
    """

    _evaluate = staticmethod(_losses.rece)

    def __init__(
        self,
        *,
        bucket_count: int = 0,
        chunk_count: int = 0,
        neighbour_chunks: int = 1,
        rounds: int = 1,
        seed: int = 0,
        **options: Unpack[LossOptions],
    ) -> None:
        own = {
            "bucket_count": bucket_count,
            "chunk_count": chunk_count,
            "neighbour_chunks": neighbour_chunks,
            "rounds": rounds,
            "seed": seed,
        }
        super().__init__(own, options)


def _named(what: str, value: str, among: tuple[str, ...]) -> str:
    if value not in among:
        raise ValueError(
            f"{what} is {value!r}; wanted one of {', '.join(map(repr, among))}"
        )
    return value
