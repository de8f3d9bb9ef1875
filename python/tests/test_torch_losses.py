"""Losses and gradients of shortlist.torch against dense and published PyTorch."""

from __future__ import annotations

from typing import Any

import pytest
import shortlist.torch as st
import torch
import torch.nn.functional as F
from published import rece, sce
from torch import Tensor, nn


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(20240918)


class Problem:
    """A batch of shape (B, L, d) over C items; leaves that require gradients."""

    def __init__(self, items: int = 700, spread: float = 0.5) -> None:
        self.hidden = torch.randn(3, 37, 24, requires_grad=True)
        self.weight = nn.Parameter(torch.randn(items, 24) * spread)
        self.bias = nn.Parameter(torch.randn(items))
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.targets = torch.randint(0, items, (3, 37))
        self.targets[0, :5] = -100
        self.token_weights = torch.rand(3, 37)

    @property
    def leaves(self) -> list[Tensor]:
        return [self.hidden, self.weight, self.bias, self.scale]

    def double(self) -> Problem:
        """The same in float64, for a computation to compare with."""
        other = Problem.__new__(Problem)
        for name, value in vars(self).items():
            if value.is_floating_point():
                value = value.detach().double().requires_grad_(value.requires_grad)
            setattr(other, name, value)
        return other

    def dense(self) -> Tensor:
        """The losses of all tokens, logits stored; 0 for ignored ones."""
        logits = self.hidden @ self.weight.T * self.scale + self.bias
        return F.cross_entropy(
            logits.flatten(0, 1), self.targets.flatten(), reduction="none"
        ).view_as(self.targets)


def assert_close(actual: Tensor | None, expected: Tensor | None, what: str) -> None:
    """float32 against float64: an error of 1e-6 of the largest number is rounding."""
    assert actual is not None and expected is not None, what
    if actual.is_sparse:
        actual = actual.to_dense()
    error = (actual.double() - expected).abs().max()
    assert error <= 3e-6 * expected.abs().max() + 1e-9, f"{what}: {error}"
    assert expected.abs().max() > 0, f"{what} is all zero"


def assert_gradients(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for a, b, what in zip(ours, theirs, ("hidden", "weight", "bias", "scale")):
        assert_close(a.grad, b.grad, what)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("sparse_grad", [False, True])
def test_cross_entropy_is_that_of_dense_pytorch(
    reduction: Any, weighted: bool, sparse_grad: bool
) -> None:
    problem = Problem()
    dense = problem.double()
    weights = dense.token_weights if weighted else torch.ones(3, 37).double()
    expected = dense.dense() * weights
    if reduction == "mean":
        expected = expected.sum() / (weights * (dense.targets != -100)).sum()
    elif reduction == "sum":
        expected = expected.sum()
    loss = st.CrossEntropyLoss(
        reduction=reduction, scale=problem.scale, sparse_grad=sparse_grad
    )(
        problem.hidden,
        problem.weight,
        problem.targets,
        problem.bias,
        token_weights=problem.token_weights if weighted else None,
    )
    assert loss.dtype == torch.float32 and loss.shape == expected.shape
    assert_close(loss, expected, "loss")
    upstream = torch.randn(loss.shape)  # not uniform, and of both signs
    loss.backward(upstream)
    expected.backward(upstream.double())
    assert problem.weight.grad is not None
    assert problem.weight.grad.is_sparse == sparse_grad
    assert_gradients(problem.leaves, dense.leaves)


def test_the_plain_call_is_that_of_f_cross_entropy() -> None:
    hidden, weight = torch.randn(50, 16), torch.randn(300, 16)
    targets = torch.randint(0, 300, (50,))
    expected = F.cross_entropy(hidden @ weight.T, targets)
    torch.testing.assert_close(st.cross_entropy(hidden, weight, targets), expected)
    as_int32 = st.cross_entropy(hidden, weight, targets.int())
    torch.testing.assert_close(as_int32, expected)


@pytest.mark.parametrize("upstream", [1.0, -2.5])
@pytest.mark.parametrize("sparse_grad", [False, True])
def test_sce_is_the_published_one_with_the_same_directions(
    upstream: float, sparse_grad: bool
) -> None:
    x = torch.randn(130, 24, requires_grad=True)
    y = nn.Parameter(torch.randn(900, 24))
    targets, directions = torch.randint(0, 900, (130,)), torch.randn(12, 24)
    losses, covered = sce(x.double(), y.double(), targets, directions.double(), 20, 64)
    expected = losses[covered].mean()
    gradients = torch.autograd.grad(expected * upstream, (x, y))
    loss = st.sce(
        x,
        y,
        targets,
        directions="given",
        given_directions=directions,
        tokens_per_bucket=20,
        items_per_bucket=64,
        sparse_grad=sparse_grad,
    )
    assert 0 < covered.sum() < 130
    assert_close(loss, expected, "loss")
    (loss * upstream).backward()
    assert_close(x.grad, gradients[0].double(), "hidden")
    assert_close(y.grad, gradients[1].double(), "weight")
    if sparse_grad:
        assert y.grad is not None and y.grad.is_sparse and y.grad._nnz() < 900
        touched = gradients[1].abs().sum(1).nonzero().flatten()
        assert set(touched.tolist()) <= set(y.grad.coalesce().indices()[0].tolist())


@pytest.mark.parametrize(("rounds", "neighbours"), [(1, 1), (3, 1), (2, 0)])
def test_rece_is_the_published_one_with_the_same_directions(
    rounds: int, neighbours: int
) -> None:
    x = torch.randn(120, 24, requires_grad=True)
    y = nn.Parameter(torch.randn(600, 24))
    targets, directions = torch.randint(0, 600, (120,)), torch.randn(rounds * 12, 24)
    expected = rece(
        x.double(), y.double(), targets, directions.double(), neighbours, rounds
    ).mean()
    gradients = torch.autograd.grad(expected, (x, y))
    loss = st.rece(
        x,
        y,
        targets,
        directions="given",
        given_directions=directions,
        bucket_count=12,
        neighbour_chunks=neighbours,
        rounds=rounds,
    )
    assert_close(loss, expected, "loss")
    loss.backward()
    assert_close(x.grad, gradients[0].double(), "hidden")
    assert_close(y.grad, gradients[1].double(), "weight")


def test_given_candidates_is_cross_entropy_over_the_block() -> None:
    from shortlist import Selection

    x = torch.randn(20, 8, requires_grad=True)
    y = nn.Parameter(torch.randn(90, 8))
    targets, log_q = torch.randint(0, 30, (20,)), torch.randn(40)
    block = Selection.of([(range(20), range(40))])._replace(log_weights=-log_q.numpy())
    loss = st.given_candidates(x, y, targets, block, reduction="sum")
    logits = (x @ y[:40].T).double()
    own = F.one_hot(targets, 40).bool()
    expected = F.cross_entropy(
        torch.where(own, logits, logits - log_q), targets, reduction="sum"
    )
    assert_close(loss, expected, "loss")
    theirs = torch.autograd.grad(expected, (x, y))
    ours = torch.autograd.grad(loss, (x, y))
    for a, b, what in zip(ours, theirs, ("hidden", "weight")):
        assert_close(a, b.double(), what)


@pytest.mark.parametrize("module", [st.SCELoss, st.RECELoss, st.CrossEntropyLoss])
def test_all_reductions_have_the_gradients_of_the_token_losses(module: Any) -> None:
    """mean and sum make gradients in forward, none in backward: the two must agree."""
    problem = Problem()
    options: dict[str, Any] = {"scale": problem.scale}

    def gradients(reduction: str) -> list[Tensor]:
        criterion = module(reduction=reduction, **options).eval()
        loss = criterion(
            problem.hidden,
            problem.weight,
            problem.targets,
            problem.bias,
            token_weights=problem.token_weights,
        )
        if reduction == "none":
            assert loss.shape == (3, 37) and torch.all(loss[0, :5] == 0)
            loss = loss.sum()
        return list(torch.autograd.grad(loss, problem.leaves))

    for a, b in zip(gradients("none"), gradients("sum")):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("sparse_grad", [False, True])
def test_tied_weights_get_the_sum_of_both_gradients(
    sparse: bool, sparse_grad: bool
) -> None:
    embedding = nn.Embedding(200, 16, sparse=sparse)
    inputs, targets = torch.randint(0, 200, (4, 9)), torch.randint(0, 200, (4, 9))
    model = nn.Linear(16, 16)
    criterion = st.CrossEntropyLoss(sparse_grad=sparse_grad)
    criterion(model(embedding(inputs)), embedding.weight, targets).backward()
    ours = embedding.weight.grad
    assert ours is not None and ours.is_sparse == (sparse and sparse_grad)
    weight = embedding.weight.detach().double().requires_grad_()
    hidden = F.linear(weight[inputs], model.weight.double(), model.bias.double())
    F.cross_entropy((hidden @ weight.T).flatten(0, 1), targets.flatten()).backward()
    assert_close(ours, weight.grad, "tied weight")


def test_excluded_items_are_in_no_logit_and_get_no_gradient() -> None:
    hidden, weight = torch.randn(50, 16), nn.Parameter(torch.randn(300, 16))
    targets = torch.randint(2, 300, (50,))
    for module in (st.CrossEntropyLoss, st.SCELoss, st.RECELoss):
        criterion = module(excluded_items=[0, 1], **sizes_that_take_all(module))
        (gradient,) = torch.autograd.grad(criterion(hidden, weight, targets), weight)
        expected = F.cross_entropy(hidden @ weight[2:].T, targets - 2)
        torch.testing.assert_close(criterion.eval()(hidden, weight, targets), expected)
        assert torch.all(gradient[:2] == 0) and gradient[2:].any(1).all()


def sizes_that_take_all(module: Any) -> dict[str, int]:
    """With which a sampled loss is the exact one: every token meets every item."""
    if module is st.SCELoss:
        return {"tokens_per_bucket": 50, "items_per_bucket": 300}
    if module is st.RECELoss:
        return {"chunk_count": 1}
    return {}


def test_sparse_adam_moves_the_touched_rows_alone() -> None:
    weight = nn.Parameter(torch.randn(2000, 16))
    before = weight.detach().clone()
    optimizer = torch.optim.SparseAdam([weight], lr=0.1)
    criterion = st.SCELoss(items_per_bucket=20, sparse_grad=True)
    criterion(torch.randn(60, 16), weight, torch.randint(0, 2000, (60,))).backward()
    assert weight.grad is not None
    touched = weight.grad.coalesce().indices()[0]
    optimizer.step()
    moved = (weight.detach() != before).any(1).nonzero().flatten()
    assert 0 < len(moved) < 2000 and set(moved.tolist()) <= set(touched.tolist())


def test_accumulated_micro_batches_are_one_batch() -> None:
    problem = Problem()
    valid = float((problem.targets != -100).sum())
    st.cross_entropy(problem.hidden, problem.weight, problem.targets).backward()
    assert problem.weight.grad is not None
    whole, problem.weight.grad = problem.weight.grad, None
    for row in range(3):
        st.cross_entropy(
            problem.hidden[row], problem.weight, problem.targets[row], denominator=valid
        ).backward()
    torch.testing.assert_close(problem.weight.grad, whole, rtol=1e-5, atol=1e-7)


def test_training_with_sce_lowers_the_exact_loss() -> None:
    torch.manual_seed(3)
    table, hidden = nn.Parameter(torch.randn(3000, 16) * 0.1), torch.randn(400, 16)
    targets = torch.randint(0, 3000, (400,))
    optimizer = torch.optim.Adam([table], lr=0.05)
    criterion = st.SCELoss()
    before = st.cross_entropy(hidden, table, targets).item()
    for _ in range(40):
        optimizer.zero_grad()
        criterion(hidden, table, targets).backward()
        optimizer.step()
    assert st.cross_entropy(hidden, table, targets).item() < before / 2
