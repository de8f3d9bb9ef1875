"""shortlist.torch within PyTorch: graphs, dtypes, modules, compilation, processes."""

from __future__ import annotations

import copy
import io
import threading
from typing import Any

import pytest
import shortlist
import shortlist.torch as st
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

MODULES = (st.CrossEntropyLoss, st.SCELoss, st.RECELoss)
REDUCTIONS = ("mean", "none")


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(7)


def batch(tokens: int = 90, items: int = 400) -> tuple[Tensor, nn.Parameter, Tensor]:
    hidden = torch.randn(tokens, 16, requires_grad=True)
    weight = nn.Parameter(torch.randn(items, 16))
    return hidden, weight, torch.randint(0, items, (tokens,))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("module", MODULES)
def test_a_second_backward_gives_the_same_gradients(
    module: Any, reduction: Any
) -> None:
    hidden, weight, targets = batch()
    loss = module(reduction=reduction)(hidden, weight, targets).sum() * 3
    first = torch.autograd.grad(loss, (hidden, weight), retain_graph=True)
    kept = [gradient.clone() for gradient in first]
    for gradient in first:
        gradient.zero_()  # the caller's, to do with as it likes
    second = torch.autograd.grad(loss, (hidden, weight))
    for a, b in zip(second, kept):
        assert torch.equal(a, b)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_second_backward_without_retain_graph_is_pytorchs_error(
    reduction: Any,
) -> None:
    hidden, weight, targets = batch()
    loss = st.SCELoss(reduction=reduction)(hidden, weight, targets).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_weight_changed_before_it_is_needed_again_is_pytorchs_error(
    reduction: Any,
) -> None:
    hidden, weight, targets = batch()
    loss = st.SCELoss(reduction=reduction)(hidden, weight, targets).sum()
    if reduction == "mean":
        loss.backward(retain_graph=True)
    with torch.no_grad():
        weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradients_of_gradients_are_refused(reduction: Any) -> None:
    hidden, weight, targets = batch()
    loss = st.cross_entropy(hidden, weight, targets, reduction=reduction).sum()
    with pytest.raises(RuntimeError, match="gradients of gradients"):
        torch.autograd.grad(loss, hidden, create_graph=True)


def gradients_asked_for(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    from shortlist import _batch

    asked: list[tuple[str, ...]] = []

    class Room(_batch.Room):
        def __init__(self, *sizes: int, **options: Any) -> None:
            asked.append(tuple(options["gradients"]))
            super().__init__(*sizes, **options)

    monkeypatch.setattr(_batch, "Room", Room)
    return asked


def test_no_gradient_is_computed_that_nobody_wants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = gradients_asked_for(monkeypatch)
    hidden, weight, targets = batch()
    with torch.no_grad():
        assert not st.cross_entropy(hidden, weight, targets).requires_grad
    st.cross_entropy(hidden.detach(), weight, targets).backward()
    st.cross_entropy(hidden, weight.detach(), targets).backward()
    loss = st.cross_entropy(hidden.detach(), weight.detach(), targets)
    assert asked == [(), ("catalog",), ("hidden",), ()]
    assert not loss.requires_grad


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_frozen_inputs_leave_the_other_gradients_as_they_are(reduction: Any) -> None:
    hidden, weight, targets = batch()
    criterion = st.SCELoss(reduction=reduction).eval()
    both = torch.autograd.grad(
        criterion(hidden, weight, targets).sum(), (hidden, weight)
    )
    (alone,) = torch.autograd.grad(
        criterion(hidden, weight.detach(), targets).sum(), (hidden,)
    )
    (rows,) = torch.autograd.grad(
        criterion(hidden.detach(), weight, targets).sum(), (weight,)
    )
    assert torch.equal(alone, both[0]) and torch.equal(rows, both[1])


@pytest.mark.parametrize("sparse_grad", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_converted_to_float32_and_gradients_back(
    dtype: torch.dtype, sparse_grad: bool
) -> None:
    hidden, weight, targets = batch()
    half = [t.detach().to(dtype).requires_grad_() for t in (hidden, weight)]
    single = [t.detach().float().requires_grad_() for t in half]
    losses = []
    for h, w in (half, single):
        loss = st.sce(h, w, targets, sparse_grad=sparse_grad)
        loss.backward()
        losses.append(loss)
    assert losses[0].dtype == torch.float32 and torch.equal(*losses)
    for h, s in zip(half, single):
        assert h.grad is not None and s.grad is not None and h.grad.dtype == dtype
        assert torch.equal(h.grad.to_dense(), s.grad.to_dense().to(dtype))


def test_autocast_changes_only_what_it_hands_in() -> None:
    hidden, weight, targets = batch()
    model = nn.Linear(16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(hidden)
        assert out.dtype == torch.bfloat16
        loss = st.CrossEntropyLoss()(out, weight, targets)
    loss.backward()
    expected = st.cross_entropy(out.detach().float(), weight, targets)
    assert torch.equal(loss, expected) and loss.dtype == torch.float32
    assert weight.grad is not None and weight.grad.dtype == torch.float32
    assert model.weight.grad is not None and model.weight.grad.abs().sum() > 0


def test_a_gradient_scaler_sees_its_scale() -> None:
    hidden, weight, targets = batch()
    loss = st.cross_entropy(hidden, weight, targets)
    (plain,) = torch.autograd.grad(loss, weight, retain_graph=True)
    (scaled,) = torch.autograd.grad(loss * 65536.0, weight)
    assert torch.equal(scaled, plain * 65536.0)


def test_tensors_of_any_strides_are_right_and_plain_ones_are_not_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from shortlist import _arrays

    addresses: set[int] = set()
    matrix = _arrays.Arrays.matrix

    def watched(self: Any, value: Any, name: str, *args: Any, **more: Any) -> Any:
        made = matrix(self, value, name, *args, **more)
        addresses.add(made.data)
        return made

    monkeypatch.setattr(_arrays.Arrays, "matrix", watched)
    hidden, weight, targets = batch()
    expected = st.cross_entropy(hidden, weight, targets)
    assert {hidden.data_ptr(), weight.data_ptr()} <= addresses
    wide = torch.randn(90, 40)
    wide[:, 4:20] = hidden.detach()
    part = wide[:, 4:20]
    assert torch.equal(st.cross_entropy(part, weight, targets), expected)
    assert part.data_ptr() in addresses
    turned = weight.detach().T.contiguous().T
    assert torch.equal(st.cross_entropy(hidden, turned, targets), expected)
    every = torch.stack([targets, targets], 1)[:, 0]
    assert torch.equal(st.cross_entropy(hidden, weight, every), expected)
    for gradient in torch.autograd.grad(
        st.cross_entropy(hidden[::2], turned.requires_grad_(), targets[::2]),
        (hidden, turned),
    ):
        assert gradient.abs().sum() > 0


def test_the_step_advances_in_training_and_stands_still_in_evaluation() -> None:
    hidden, weight, targets = batch(items=4000)
    criterion = st.SCELoss(items_per_bucket=8)

    def run(**options: Any) -> float:
        return criterion(hidden, weight, targets, **options).item()

    losses = [run() for _ in range(4)]
    assert len(set(losses)) == 4 and int(criterion.step) == 4
    criterion.eval()
    assert run() == run() and int(criterion.step) == 4
    criterion.train()
    assert run(step=1) == losses[1] and int(criterion.step) == 4


@pytest.mark.parametrize("module", [st.SCELoss, st.RECELoss])
def test_a_resumed_run_repeats_the_same_selections(module: Any) -> None:
    hidden, weight, targets = batch(items=4000)
    criterion = module(bucket_count=9, seed=3)
    for _ in range(3):
        criterion(hidden, weight, targets)
    file = io.BytesIO()
    torch.save(criterion.state_dict(), file)
    went_on = [criterion(hidden, weight, targets).item() for _ in range(3)]
    file.seek(0)
    resumed = module(bucket_count=9, seed=3)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert [resumed(hidden, weight, targets).item() for _ in range(3)] == went_on
    copied = copy.deepcopy(resumed)
    assert torch.equal(
        copied(hidden, weight, targets), resumed(hidden, weight, targets)
    )


def test_a_learned_scale_is_a_parameter_of_the_module() -> None:
    hidden, weight, targets = batch()
    criterion = st.CrossEntropyLoss(scale=nn.Parameter(torch.tensor([0.5])))
    assert [name for name, _ in criterion.named_parameters()] == ["scale"]
    other = copy.deepcopy(criterion)
    other(hidden, weight, targets).backward()
    assert criterion.scale.grad is None and other.scale.grad is not None
    assert other.scale.grad.shape == (1,) and other.scale.grad.abs() > 0


# Dynamo itself reads the .grad of tensors that have none.
compiles = pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")


class Model(nn.Module):
    def __init__(self, criterion: nn.Module) -> None:
        super().__init__()
        self.embedding, self.layer = nn.Embedding(300, 16), nn.Linear(16, 16)
        self.criterion = criterion

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        hidden = torch.tanh(self.layer(self.embedding(tokens)))
        loss: Tensor = self.criterion(hidden, self.embedding.weight, targets)
        return loss * 2.0


@compiles
@pytest.mark.parametrize("criterion", [st.SCELoss(), st.RECELoss(reduction="none")])
def test_a_compiled_model_gives_what_the_plain_one_gives(criterion: Any) -> None:
    plain = Model(criterion)
    other = copy.deepcopy(plain)
    torch._dynamo.reset()
    compiled = torch.compile(other, backend="aot_eager")
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in (plain, other)]
    for _ in range(3):
        tokens, targets = torch.randint(0, 300, (2, 4, 20))
        losses = [model(tokens, targets).sum() for model in (plain, compiled)]
        torch.testing.assert_close(losses[0], losses[1])
        for loss, optimizer in zip(losses, optimizers):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert int(other.criterion.step) == 3
    for a, b in zip(plain.parameters(), other.parameters()):
        torch.testing.assert_close(a, b)
        assert a.grad is not None and a.grad.abs().sum() > 0


@compiles
def test_a_compiled_function_gives_what_the_plain_one_gives() -> None:
    hidden, weight, targets = batch()

    def function(h: Tensor, w: Tensor) -> Tensor:
        return st.cross_entropy(torch.relu(h), w, targets) + 1

    torch._dynamo.reset()
    compiled = torch.compile(function, backend="aot_eager")
    torch.testing.assert_close(compiled(hidden, weight), function(hidden, weight))


def test_backward_on_another_thread_gives_the_same_gradients() -> None:
    hidden, weight, targets = batch()
    for reduction in ("mean", "none"):
        criterion = st.SCELoss(reduction=reduction).eval()
        expected = torch.autograd.grad(criterion(hidden, weight, targets).sum(), hidden)
        loss = criterion(hidden, weight, targets).sum()
        found: list[Tensor] = []
        thread = threading.Thread(
            target=lambda: found.extend(torch.autograd.grad(loss, hidden))  # noqa: B023
        )
        thread.start()
        thread.join()
        assert torch.equal(found[0], expected[0])


def test_the_report_is_that_of_the_last_call() -> None:
    hidden, weight, targets = batch()
    criterion = st.SCELoss(items_per_bucket=31, threads=1)
    assert criterion.report is None
    criterion(hidden, weight, targets)
    report = criterion.report
    assert isinstance(report, shortlist.Report)
    assert (report.items_per_bucket, report.threads) == (31, 1)


def test_the_threads_are_those_of_torch() -> None:
    hidden, weight, targets = batch()
    criterion = st.CrossEntropyLoss()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        criterion(hidden, weight, targets)
    finally:
        torch.set_num_threads(before)
    assert criterion.report is not None and criterion.report.threads == 1


def test_a_batch_without_valid_tokens_has_loss_and_gradients_zero() -> None:
    hidden, weight, targets = batch()
    for module in MODULES:
        loss = module()(hidden, weight, torch.full_like(targets, -100))
        hidden.grad = weight.grad = None
        loss.backward()
        assert loss == 0
        assert torch.all(hidden.grad == 0) and torch.all(weight.grad == 0)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (
            {"hidden": torch.randn(90, 16).double()},
            TypeError,
            "hidden.*float64.*float32",
        ),
        (
            {"weight": torch.randn(400, 15)},
            ValueError,
            r"hidden.*\(90, 16\).*\(400, 15\)",
        ),
        ({"targets": torch.zeros(90)}, TypeError, "targets.*float32.*int64"),
        ({"targets": torch.zeros(89).long()}, ValueError, r"targets.*\(89,\).*\(90,\)"),
        ({"bias": torch.zeros(399)}, ValueError, r"item_bias.*\(399,\).*\(400,\)"),
        ({"token_weights": torch.ones(90, 1)}, ValueError, r"token_weights.*\(90, 1\)"),
        (
            {"token_weights": torch.ones(90, requires_grad=True)},
            ValueError,
            "token_weights requires a gradient",
        ),
        ({"weight": torch.eye(16).to_sparse()}, TypeError, "weight.*sparse"),
        ({"scale": torch.ones(2)}, ValueError, r"scale.*\(2,\)"),
        ({"hidden": [1.0]}, TypeError, "hidden is a list"),
        ({"hidden": torch.empty(90, 16, device="meta")}, TypeError, "meta"),
        ({"reduction": "median"}, ValueError, "median"),
        ({"label_smoothing": 0.1}, TypeError, "label_smoothing"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(
    change: dict[str, Any], kind: type[Exception], words: str
) -> None:
    hidden, weight, targets = batch()
    given = {"hidden": hidden, "weight": weight, "targets": targets, **change}
    with pytest.raises(kind, match=words):
        st.cross_entropy(**given)


def test_a_wrong_option_of_a_module_is_refused_when_it_is_made() -> None:
    with pytest.raises(TypeError, match="label_smoothing"):
        st.CrossEntropyLoss(label_smoothing=0.1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="median"):
        st.SCELoss(reduction="median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="given"):
        st.SCELoss(directions="given")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="token_weights"):
        st.SCELoss(token_weights=torch.ones(3))


def test_a_tensor_on_a_device_is_refused_with_the_choices() -> None:
    hidden, weight, targets = batch()
    with FakeTensorMode():  # a CUDA tensor as far as anybody asks, on any machine
        there = torch.empty(90, 16, device="cuda")
    with pytest.raises(
        TypeError, match=r"hidden is on cuda.*\.cpu\(\).*allow_copy=True"
    ):
        st.cross_entropy(there, weight, targets)
    with pytest.raises(TypeError, match="weight is on cuda"):
        st.SCELoss()(hidden, there, targets)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("sparse_grad", [False, True])
def test_cuda_tensors_are_refused_with_the_choices_and_copied_when_allowed(
    reduction: Any, sparse_grad: bool
) -> None:
    hidden, weight, targets = batch()
    there = [t.detach().cuda().requires_grad_() for t in (hidden, weight)]
    with pytest.raises(TypeError, match="allow_copy=True"):
        st.cross_entropy(*there, targets.cuda())
    options: dict[str, Any] = {"reduction": reduction, "sparse_grad": sparse_grad}
    loss = st.sce(*there, targets.cuda(), allow_copy=True, **options)
    assert loss.is_cuda
    loss.sum().backward()
    st.sce(hidden, weight, targets, **options).sum().backward()
    for a, b in zip(there, (hidden, weight)):
        assert a.grad is not None and b.grad is not None and a.grad.is_cuda
        torch.testing.assert_close(a.grad.cpu().to_dense(), b.grad.to_dense())


def test_the_numbers_of_numpy_and_torch_are_the_same_bits() -> None:
    hidden, weight, targets = batch()
    loss = st.sce(hidden, weight, targets, seed=4, step=9)
    loss.backward()
    arrays = (hidden.detach().numpy(), weight.detach().numpy(), targets.numpy())
    result = shortlist.sce(*arrays, seed=4, step=9, gradients=("hidden", "catalog"))
    assert loss.item() == pytest.approx(result.loss, rel=1e-7)
    assert hidden.grad is not None
    assert (hidden.grad.numpy() == result.gradients.hidden).all()
    assert F.cosine_similarity(hidden.grad, hidden).abs().max() <= 1
