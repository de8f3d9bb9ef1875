"""Trains SASRec for next-item recommendation; the loss is one line, chosen by --loss.

    python train_sasrec.py                                   # invented data, exact loss
    python train_sasrec.py --data FILE --loss sce rece ce    # yours, three losses in turn

The last item of every history is the test, the one before it validates. Every ranking is
among all items but those that the user had before. Training keeps the epoch of the best
validation NDCG@10 and stops when it gets no better. Progress goes to standard error, the
table to standard output.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from interactions import DataError, Interactions, LeaveOneOut, Queries, invented, load
from reporting import peak_memory, plot, table
from sasrec import SASRec, padded
from shortlist.metrics import RankingMetrics, evaluate_ranking
from shortlist.torch import CrossEntropyLoss, RECELoss, SCELoss
from torch import Tensor
from tqdm import tqdm

Criterion = Callable[[Tensor, Tensor, Tensor], Tensor]
LOSSES = ("sce", "rece", "ce", "torch-ce")


def torch_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Exact cross-entropy as everybody writes it: the logits of all items, stored."""
    valid = targets != -100
    logits = hidden[valid] @ weight[1:].T  # padding is no item
    return F.cross_entropy(logits, targets[valid] - 1)


def make_criterion(name: str, options: argparse.Namespace) -> Criterion:
    """The loss line. All take (B, L, d), (1 + items, d) and (B, L) with −100 for padding."""
    if name == "torch-ce":
        return torch_cross_entropy
    if name == "ce":
        return CrossEntropyLoss(excluded_items=[0])
    if name == "rece":
        return RECELoss(excluded_items=[0], rounds=options.rounds, seed=options.seed)
    return SCELoss(
        excluded_items=[0],
        items_per_bucket=options.items_per_bucket,
        combination=options.combination,
        seed=options.seed,
    )


@dataclass
class Result:
    """What training with one loss came to."""

    loss: str
    ndcg10: float
    hr10: float
    mrr: float
    coverage10: float
    validation_ndcg10: float
    best_epoch: int
    epochs: int
    seconds: float
    seconds_per_epoch: float
    seconds_in_steps: float
    steps: int
    peak_memory_bytes: int
    workspace_bytes: int | None
    curve: list[dict[str, float]] = field(default_factory=list)


def rank(
    model: SASRec, queries: Queries, options: argparse.Namespace
) -> RankingMetrics:
    """The metrics of `queries`, without a matrix of scores."""
    model.eval()
    hidden = []
    with torch.inference_mode():
        for start in range(0, len(queries.histories), 512):
            histories = queries.histories[start : start + 512]
            batch, lengths = padded(histories, model.max_length)
            states = model(batch, lengths)
            hidden.append(states[torch.arange(len(histories)), lengths - 1])
        return evaluate_ranking(
            torch.cat(hidden),
            model.items.weight,
            queries.targets,
            ks=(10,),
            seen=queries.histories,
            excluded_items=[0],
            threads=options.threads,
        )


def train(
    name: str, data: Interactions, split: LeaveOneOut, options: argparse.Namespace
) -> Result:
    torch.manual_seed(options.seed)
    model = SASRec(
        data.item_count,
        options.width,
        options.blocks,
        options.heads,
        options.max_length,
        options.dropout,
        options.norm,
    )
    criterion = make_criterion(name, options)
    optimizer = torch.optim.Adam(
        model.parameters(), lr=options.learning_rate, betas=(0.9, 0.98)
    )
    draw = np.random.default_rng(options.seed)
    best, best_model, workspace = -1.0, copy.deepcopy(model.state_dict()), 0
    best_epoch = steps = 0
    in_steps, curve = 0.0, []
    begun = time.perf_counter()
    epochs = tqdm(range(1, options.epochs + 1), desc=name, disable=options.quiet)
    for epoch in epochs:
        model.train()
        order = draw.permutation(len(split.training))
        total, tokens, entered = 0.0, 0, time.perf_counter()
        for start in range(0, len(order), options.batch):
            chosen = [split.training[i] for i in order[start : start + options.batch]]
            pad_to = options.max_length if options.pad == "max" else None
            cut = [history[-options.max_length - 1 :] for history in chosen]
            inputs, lengths = padded([h[:-1] for h in cut], options.max_length, pad_to)
            targets, _ = padded([h[1:] for h in cut], options.max_length, pad_to)
            targets[targets == 0] = -100
            hidden = model(inputs, lengths)
            loss = criterion(hidden, model.items.weight, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            count = int(lengths.sum())
            total, tokens, steps = (
                total + loss.item() * count,
                tokens + count,
                steps + 1,
            )
            report = getattr(criterion, "report", None)
            workspace = max(workspace, report.workspace_used if report else 0)
        in_steps += time.perf_counter() - entered
        found = rank(model, split.validation, options)
        ndcg = found.ndcg[10]
        curve.append({"epoch": epoch, "loss": total / tokens, "ndcg10": ndcg})
        curve[-1]["seconds"] = time.perf_counter() - begun
        if ndcg > best:
            best, best_epoch = ndcg, epoch
            best_model = copy.deepcopy(model.state_dict())
        epochs.set_postfix(loss=f"{total / tokens:.3f}", ndcg=f"{ndcg:.4f}")
        if epoch - best_epoch >= options.patience:
            break
    epochs.close()
    seconds = time.perf_counter() - begun
    model.load_state_dict(best_model)
    if options.save:
        torch.save(best_model, options.save.format(loss=name))
    test = rank(model, split.test, options)
    return Result(
        name,
        test.ndcg[10],
        test.hr[10],
        test.mrr,
        test.coverage[10],
        best,
        best_epoch,
        len(curve),
        seconds,
        seconds / len(curve),
        in_steps,
        steps,
        peak_memory(),
        workspace or None,
        curve,
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        metavar="FILE",
        help="interactions (default: invented ones)",
    )
    add("--loss", choices=LOSSES, nargs="+", default=["ce"], help="default: ce")
    add("--epochs", type=int, default=200, help="most passes (default 200)")
    add("--patience", type=int, default=10, help="epochs without a better validation")
    add("--batch", type=int, default=128, help="users a step (default 128)")
    add("--max-length", type=int, default=50, help="items of a history (default 50)")
    add("--width", type=int, default=64)
    add("--blocks", type=int, default=2)
    add("--heads", type=int, default=1)
    add("--dropout", type=float, default=0.2)
    add("--norm", choices=("pre", "published"), default="pre", help="see sasrec.py")
    add("--learning-rate", type=float, default=1e-3)
    add("--seed", type=int, default=1)
    add("--threads", type=int, default=0, help="0: one for each processor")
    add(
        "--pad",
        choices=("max", "batch"),
        default="max",
        help="pad to --max-length, or to the longest history of the batch",
    )
    add("--items-per-bucket", type=int, default=256, help="of sce")
    add("--combination", choices=("max", "union"), default="max", help="of sce")
    add("--rounds", type=int, default=1, help="of rece")
    add("--users", type=int, default=4000, help="to invent without --data")
    add("--items", type=int, default=5000, help="to invent without --data")
    add("--json", type=Path, metavar="FILE", help="write the figures here")
    add("--plot", metavar="FILE", help="write validation NDCG@10 over time here")
    add("--save", metavar="FILE", help="write the best model here; {loss} is replaced")
    add("--quiet", action="store_true", help="no progress bars")
    options = parser.parse_args()
    for name in (
        "epochs",
        "patience",
        "batch",
        "max_length",
        "width",
        "blocks",
        "heads",
    ):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if options.width % options.heads:
        parser.error("--width must be a multiple of --heads")
    return options


def main() -> int:
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    options.threads = torch.get_num_threads()
    try:
        if options.data:
            data = load(options.data)
        else:
            data = invented(options.users, options.items, options.seed)
        split = data.split()
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    interactions = sum(map(len, data.histories))
    print(
        f"{len(data.histories):,} users, {data.item_count:,} items, "
        f"{interactions:,} interactions; {len(split.test.histories):,} test users",
        file=sys.stderr,
    )
    results = [train(name, data, split, options) for name in options.loss]
    header = ["loss", "NDCG@10", "HR@10", "MRR", "coverage@10", "best epoch"]
    header += ["seconds", "s/step", "workspace"]
    rows = [
        [
            result.loss,
            f"{result.ndcg10:.4f}",
            f"{result.hr10:.4f}",
            f"{result.mrr:.4f}",
            f"{result.coverage10:.3f}",
            f"{result.best_epoch}/{result.epochs}",
            f"{result.seconds:.0f}",
            f"{result.seconds_in_steps / result.steps:.3f}",
            f"{result.workspace_bytes / 1e6:.1f} MB" if result.workspace_bytes else "",
        ]
        for result in results
    ]
    print(table(header, rows))
    settings = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in vars(options).items()
    }
    if options.json:
        document = {
            "settings": settings,
            "items": data.item_count,
            "users": len(data.histories),
            "test_users": len(split.test.histories),
            "results": [asdict(result) for result in results],
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.plot:
        curves = {
            result.loss: (
                [point["seconds"] for point in result.curve],
                [point["ndcg10"] for point in result.curve],
            )
            for result in results
        }
        plot(options.plot, curves, "seconds of training", "validation NDCG@10")
    return 0


if __name__ == "__main__":
    sys.exit(main())
