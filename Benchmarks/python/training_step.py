"""One training step of SASRec with `shortlist.torch.SCELoss` beside the eager SCE.

    python Benchmarks/python/training_step.py [--items 100000] [--threads 2]

The same model, batch, optimiser and bucket sizes; the losses take turns, step by step, in
one process, each with a model of its own. Then a process for each loss gives its peak
memory. The eager SCE is `Benchmarks/peers/torch_losses.py`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from shortlist.torch import CrossEntropyLoss, SCELoss
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "examples" / "python"), str(ROOT / "Benchmarks" / "peers")]

import torch_losses  # noqa: E402
from sasrec import SASRec  # noqa: E402

Criterion = Callable[[Tensor, Tensor, Tensor], Tensor]


def eager(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    x, t = hidden.flatten(0, 1), targets.flatten()
    root = int(2 * len(t) ** 0.5)
    return torch_losses.sce(x, weight, t, root, root, 256)


def nothing(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """The rest of the step: a loss that costs next to nothing, dense gradient included."""
    return (hidden * weight[targets]).sum()


LOSSES: dict[str, Callable[[], Criterion]] = {
    "SCELoss": SCELoss,
    "SCELoss, sparse_grad": lambda: SCELoss(sparse_grad=True),
    "eager SCE": lambda: eager,
    "no loss": lambda: nothing,
    "CrossEntropyLoss": CrossEntropyLoss,
}


class Training:
    def __init__(self, name: str, items: int) -> None:
        torch.manual_seed(1)
        self.model = SASRec(items, max_length=50)
        self.criterion = LOSSES[name]()
        self.sparse = "sparse" in name
        weight = self.model.items.weight
        rest = [p for p in self.model.parameters() if p is not weight]
        self.optimizers: list[torch.optim.Optimizer]
        if self.sparse:
            self.model.items.sparse = True
            self.optimizers = [torch.optim.SparseAdam([weight]), torch.optim.Adam(rest)]
        else:
            self.optimizers = [torch.optim.Adam(self.model.parameters())]

    def step(self, batch: Tensor) -> tuple[float, float]:
        """Seconds of the step, and of its loss and backward."""
        begin = time.perf_counter()
        lengths = torch.full((len(batch),), batch.shape[1] - 1)
        hidden = self.model(batch[:, :-1], lengths)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        entered = time.perf_counter()
        loss = self.criterion(hidden, self.model.items.weight, batch[:, 1:])
        loss.backward()
        left = time.perf_counter()
        for optimizer in self.optimizers:
            optimizer.step()
        return time.perf_counter() - begin, left - entered


def memory(field: str) -> float:
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(field))
    return int(line.split()[1]) / 1024


def batches(items: int, count: int) -> list[Tensor]:
    draw = torch.Generator().manual_seed(2)
    return [
        torch.randint(1, items + 1, (128, 51), generator=draw) for _ in range(count)
    ]


def peak(name: str, items: int) -> None:
    training = Training(name, items)
    before = memory("VmRSS")
    for batch in batches(items, 3):
        training.step(batch)
    print(memory("VmHWM") - before)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES)[:4])
    parser.add_argument("--peak", choices=LOSSES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.peak:
        peak(options.peak, options.items)
        return 0
    trainings = {name: Training(name, options.items) for name in options.losses}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in trainings}
    for number, batch in enumerate(batches(options.items, options.steps + 2)):
        for name, training in trainings.items():
            taken = training.step(batch)
            if number >= 2:
                times[name].append(taken)
    print(
        "| loss | step, s (range) | × | loss and backward, s | × | peak MiB above the model |"
    )
    print("|---|---|---|---|---|---|")
    first = [statistics.median(part) for part in zip(*times[options.losses[0]])]
    for name, taken in times.items():
        whole, part = zip(*taken)
        command = [sys.executable, __file__, "--peak", name]
        command += ["--items", str(options.items), "--threads", str(options.threads)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        a, b = statistics.median(whole), statistics.median(part)
        print(
            f"| {name} | {a:.3f} ({min(whole):.3f}–{max(whole):.3f}) | {a / first[0]:.2f} "
            f"| {b:.3f} | {b / first[1]:.2f} | {float(done.stdout):,.0f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
