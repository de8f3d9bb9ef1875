"""A small word-level language model with an output layer of 250,000 words.

    python train_language_model.py --text FILE                   # SCE, row-sparse updates
    python train_language_model.py --text FILE --loss ce sce     # two losses in turn

The text's own words take the first rows of the vocabulary, most frequent first; the rest of
the 250,000 stand for words that this text does not have, as most of a multilingual
tokenizer's do. They compete in the loss all the same. The embedding is the output layer
too. Validation, on the last tenth of the text, is over the whole vocabulary and computed
without logits: where the next word stands among all words (HR@10, MRR), and the exact
perplexity. A sampled loss leaves most words out of its normaliser, so that it learns to
rank sooner than to give probabilities: judge it by the ranks. Progress goes to standard
error, the table to standard output.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from reporting import peak_memory, plot, table
from shortlist.metrics import evaluate_ranking
from shortlist.torch import CrossEntropyLoss, RECELoss, SCELoss, cross_entropy
from torch import Tensor, nn
from tqdm import tqdm

Criterion = Callable[[Tensor, Tensor, Tensor], Tensor]
LOSSES = ("sce", "rece", "ce", "torch-ce")


def torch_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """As everybody writes it: logits of every token and word, stored."""
    return F.cross_entropy((hidden @ weight.T).flatten(0, 1), targets.flatten())


def make_criterion(name: str, options: argparse.Namespace) -> Criterion:
    """The loss line. SCE's gradient for the embedding is row-sparse."""
    if name == "torch-ce":
        return torch_cross_entropy
    if name == "ce":
        return CrossEntropyLoss()
    if name == "rece":
        return RECELoss(seed=options.seed)
    return SCELoss(
        items_per_bucket=options.items_per_bucket,
        combination=options.combination,
        seed=options.seed,
        sparse_grad=True,
    )


class LanguageModel(nn.Module):
    """GRU over tied word embeddings."""

    def __init__(self, words: int, width: int, sparse: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width, sparse=sparse)
        self.encoder = nn.GRU(width, width, batch_first=True)
        self.out = nn.Linear(width, width)
        nn.init.normal_(self.words.weight, std=0.1)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.encoder(self.words(tokens))
        hidden: Tensor = self.out(states)
        return hidden


def read_words(path: Path) -> list[str]:
    """Words and punctuation marks, lower case."""
    return re.findall(r"[a-z']+|[^\sa-z']", path.read_text(encoding="utf-8").lower())


@dataclass
class Result:
    loss: str
    hr10: float
    mrr: float
    perplexity: float
    seconds: float
    seconds_per_step: float
    steps: int
    peak_memory_bytes: int
    workspace_bytes: int | None
    curve: list[dict[str, float]] = field(default_factory=list)


@torch.no_grad()
def validate(model: LanguageModel, tokens: Tensor, length: int) -> dict[str, float]:
    """Ranks and exact perplexity of the next words, in pieces of `length` words."""
    model.eval()
    pieces = tokens[: (len(tokens) - 1) // length * length + 1]
    hidden = model(pieces[:-1].view(-1, length)).flatten(0, 1)
    weight, targets = model.words.weight, pieces[1:]
    loss = cross_entropy(hidden, weight, targets)
    found = evaluate_ranking(hidden, weight, targets, with_coverage=False)
    perplexity = math.exp(loss.item())
    return {"perplexity": perplexity, "hr10": found.hr[10], "mrr": found.mrr}


def train(
    name: str, training: Tensor, held_out: Tensor, options: argparse.Namespace
) -> Result:
    torch.manual_seed(options.seed)
    sparse = name == "sce"
    model = LanguageModel(options.vocabulary, options.width, sparse)
    criterion = make_criterion(name, options)
    rest = [*model.encoder.parameters(), *model.out.parameters()]
    optimizers: list[torch.optim.Optimizer]
    if sparse:
        # Only the rows that the loss or the input touched are read and written.
        optimizers = [
            torch.optim.SparseAdam([model.words.weight], lr=options.learning_rate),
            torch.optim.Adam(rest, lr=options.learning_rate),
        ]
    else:
        optimizers = [torch.optim.Adam(model.parameters(), lr=options.learning_rate)]
    span = options.length + 1
    curve, workspace, begun = [], 0, time.perf_counter()
    draw = torch.Generator().manual_seed(options.seed)
    bar = tqdm(range(1, options.steps + 1), desc=name, disable=options.quiet)
    in_steps = 0.0
    for step in bar:
        entered = time.perf_counter()
        model.train()
        starts = torch.randint(
            0, len(training) - span + 1, (options.batch, 1), generator=draw
        )
        batch = training[starts + torch.arange(span)]
        loss = criterion(model(batch[:, :-1]), model.words.weight, batch[:, 1:])
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        in_steps += time.perf_counter() - entered
        report = getattr(criterion, "report", None)
        workspace = max(workspace, report.workspace_used if report else 0)
        if step % options.validate_every == 0 or step == options.steps:
            found = validate(model, held_out, options.length)
            seconds = time.perf_counter() - begun
            curve.append({"step": step, "seconds": seconds, **found})
            bar.set_postfix(loss=f"{loss.item():.3f}", hr10=f"{found['hr10']:.3f}")
    bar.close()
    return Result(
        name,
        curve[-1]["hr10"],
        curve[-1]["mrr"],
        curve[-1]["perplexity"],
        time.perf_counter() - begun,
        in_steps / options.steps,
        options.steps,
        peak_memory(),
        workspace or None,
        curve,
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--text", type=Path, required=True, metavar="FILE", help="a text, UTF-8")
    add("--loss", choices=LOSSES, nargs="+", default=["sce"], help="default: sce")
    add("--vocabulary", type=int, default=250_000, help="words of the output layer")
    add("--steps", type=int, default=400)
    add("--batch", type=int, default=32, help="pieces of text a step")
    add("--length", type=int, default=32, help="words of a piece")
    add("--width", type=int, default=128)
    add("--learning-rate", type=float, default=2e-3)
    add("--items-per-bucket", type=int, default=512, help="of sce")
    add("--combination", choices=("max", "union"), default="max", help="of sce")
    add("--validate-every", type=int, default=100, help="steps")
    add("--held-out", type=int, default=4000, help="most words to validate with")
    add("--seed", type=int, default=1)
    add("--threads", type=int, default=0, help="0: one for each processor")
    add("--json", type=Path, metavar="FILE", help="write the figures here")
    add("--plot", metavar="FILE", help="write HR@10 over time here")
    add("--quiet", action="store_true", help="no progress bars")
    return parser.parse_args()


def main() -> int:
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        words = read_words(options.text)
    except (OSError, UnicodeDecodeError) as error:
        print(f"{options.text}: {error}", file=sys.stderr)
        return 1
    counts = Counter(words)
    if len(counts) > options.vocabulary:
        print(
            f"the text has {len(counts):,} words, more than --vocabulary "
            f"{options.vocabulary:,}",
            file=sys.stderr,
        )
        return 1
    if len(words) < 20 * (options.length + 1):
        print(f"the text has {len(words)} words; wanted more", file=sys.stderr)
        return 1
    numbers = {word: place for place, (word, _) in enumerate(counts.most_common())}
    tokens = torch.tensor([numbers[word] for word in words])
    cut = len(tokens) * 9 // 10
    training, held_out = tokens[:cut], tokens[cut:][: options.held_out + 1]
    print(
        f"{len(tokens):,} words, {len(counts):,} different; output layer "
        f"{options.vocabulary:,} x {options.width}",
        file=sys.stderr,
    )
    results = [train(name, training, held_out, options) for name in options.loss]
    header = [
        "loss",
        "HR@10",
        "MRR",
        "perplexity",
        "steps",
        "seconds",
        "s/step",
        "workspace",
    ]
    rows = [
        [
            result.loss,
            f"{result.hr10:.3f}",
            f"{result.mrr:.3f}",
            f"{result.perplexity:.0f}",
            str(result.steps),
            f"{result.seconds:.0f}",
            f"{result.seconds_per_step:.3f}",
            f"{result.workspace_bytes / 1e6:.1f} MB" if result.workspace_bytes else "",
        ]
        for result in results
    ]
    print(table(header, rows))
    logits = options.batch * options.length * options.vocabulary * 4
    print(
        f"\nAll figures are over {options.vocabulary:,} words. The logits of one batch would "
        f"have taken {logits / 1e9:.1f} GB, and their gradient as much again."
    )
    if options.json:
        document = {"results": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.plot:
        curves = {
            result.loss: (
                [point["seconds"] for point in result.curve],
                [point["hr10"] for point in result.curve],
            )
            for result in results
        }
        plot(options.plot, curves, "seconds of training", "HR@10 of the next word")
    return 0


if __name__ == "__main__":
    sys.exit(main())
