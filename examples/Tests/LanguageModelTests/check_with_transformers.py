"""Holds models that we wrote to transformers: argument, a folder of them.

In each there is also `ours.safetensors`: token ids and the logits that we computed for
them. transformers must load the model with every tensor in its place, and agree.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

TOLERANCE = 1e-4


def main() -> None:
    folders = sorted(Path(sys.argv[1]).iterdir())
    if not folders:
        sys.exit(f"{sys.argv[1]}: there is no model")
    for folder in folders:
        model, report = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
        wrong = {kind: names for kind, names in report.items() if names}
        if wrong:
            sys.exit(f"{folder.name}: tensors that do not fit: {wrong}")
        ours = load_file(folder / "ours.safetensors")
        with torch.no_grad():
            theirs = model(input_ids=ours["ids"][None]).logits[0]
        largest = theirs.abs().max()
        difference = (theirs - ours["logits"]).abs().max()
        if not difference <= TOLERANCE * largest:
            sys.exit(f"{folder.name}: logits differ by {difference} of {largest}")
        print(f"{folder.name}: logits differ by {difference:.1e} of {largest:.2f}")


if __name__ == "__main__":
    main()
