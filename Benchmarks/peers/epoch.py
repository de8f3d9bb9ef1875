"""One training epoch of SASRec on a file of interactions, as one line of JSON: the example program of this repository
(packed sequences), or the same model in PyTorch on padded batches (examples/python/sasrec.py) with the published SCE,
eager. d 64, two blocks, one head, at most 200 items of a history, 1,024 sequences a step, SCE with n_b = b_x = 2√n and
b_y = 256, Adam. Validation is not counted, and neither is the first epoch; of PyTorch, whose epochs take minutes, the
first step is not counted, and with --steps an epoch's time is that of so many steps, scaled to all of them (sequences
come in random order, so steps are alike)."""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples" / "python"
BATCH, LENGTH = 1024, 200


def ours(options: argparse.Namespace) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [options.program, "train", "--data", options.data, "--loss", "sce"]
        command += ["--epochs", str(options.repeats + 1), "--batch", str(BATCH)]
        command += ["--max-length", str(LENGTH), "--threads", str(options.threads)]
        done = subprocess.run(
            [*command, "--out", folder], capture_output=True, text=True
        )
        if done.returncode != 0:
            sys.exit(done.stderr[-500:])
        report = json.loads((Path(folder) / "report.json").read_text())
    epochs = report["runs"][0]["progress"]["epochs"]
    return [epoch["trainingSeconds"] for epoch in epochs[1:]]


def torchs(options: argparse.Namespace) -> list[float]:
    sys.path.insert(0, str(EXAMPLES))
    import torch
    from interactions import load
    from sasrec import SASRec, padded
    from torch_losses import sce

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    data = load(options.data)
    histories = [history for history in data.split().training if len(history) > 1]
    model = SASRec(
        data.item_count, max_length=LENGTH, dropout=0.6, norm="published"
    ).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98))
    total = math.ceil(len(histories) / BATCH)
    counted = min(options.steps or total, total)

    def step(chosen: list[int]) -> None:
        cut = [histories[i][-LENGTH - 1 :] for i in chosen]
        pad = LENGTH if options.pad == "max" else None
        inputs, lengths = padded([h[:-1] for h in cut], LENGTH, pad)
        targets, _ = padded([h[1:] for h in cut], LENGTH, pad)
        valid = targets > 0
        hidden = model(inputs, lengths)[valid]
        root = int(2 * math.sqrt(len(hidden)))
        loss = sce(hidden, model.items.weight, targets[valid], root, root, 256)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    step(torch.randperm(len(histories))[:BATCH].tolist())
    seconds = []
    for _ in range(options.repeats):
        order = torch.randperm(len(histories)).tolist()
        start = time.perf_counter()
        for index in range(counted):
            step(order[index * BATCH : (index + 1) * BATCH])
        seconds.append((time.perf_counter() - start) * total / counted)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--who", choices=["shortlist", "torch"], required=True)
    parser.add_argument("--program", help="the built sasrec")
    parser.add_argument("--data", required=True)
    parser.add_argument("--pad", choices=["max", "batch"], default="max")
    parser.add_argument("--repeats", type=int, default=2, help="epochs counted")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--steps", type=int, help="PyTorch: steps measured of an epoch, not all"
    )
    options = parser.parse_args()
    seconds = ours(options) if options.who == "shortlist" else torchs(options)
    counted = sorted(seconds)
    print(
        json.dumps(
            {
                "median_s": counted[len(counted) // 2],
                "min_s": counted[0],
                "max_s": counted[-1],
            }
        )
    )


if __name__ == "__main__":
    main()
