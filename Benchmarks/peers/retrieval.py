"""Exact top-k by faiss-cpu's flat index, by torch.topk over all scores, or PyTorch's product alone: time and peak memory
as one line of JSON."""

from __future__ import annotations

import argparse
import json
import time


def memory(field: str) -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))


def with_torch(options: argparse.Namespace) -> dict:
    import torch
    from torch_device import TorchDevice

    device = TorchDevice(options.device)
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    queries = torch.randn(options.tokens, options.width, device=options.device)
    items = torch.randn(options.items, options.width, device=options.device)

    def search() -> torch.Tensor:
        scores = queries @ items.T
        if options.who == "product":
            return scores[0, 0]
        return torch.topk(scores, options.k).values.sum()

    return device.measure(search, options.repeats)


def with_faiss(options: argparse.Namespace) -> dict:
    import faiss
    import numpy as np

    generator = np.random.default_rng(1)
    queries = generator.standard_normal(
        (options.tokens, options.width), dtype=np.float32
    )
    items = generator.standard_normal((options.items, options.width), dtype=np.float32)
    faiss.omp_set_num_threads(options.threads)
    index = faiss.IndexFlatIP(options.width)
    index.add(items)
    del items
    before = memory("VmRSS")
    seconds = []
    for step in range(options.repeats + 1):
        start = time.perf_counter()
        value = float(index.search(queries, options.k)[0].sum())
        if step:
            seconds.append(time.perf_counter() - start)
    seconds.sort()
    return {
        "median_s": seconds[len(seconds) // 2],
        "min_s": seconds[0],
        "max_s": seconds[-1],
        "peak_mib": (memory("VmHWM") - before) / 1024,
        "value": value,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--who", choices=["faiss", "torch", "product"], required=True)
    for name in ("tokens", "items", "width", "k"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--device", default="cpu", help="PyTorch's: cpu, or cuda with an index"
    )
    options = parser.parse_args()
    if options.who == "faiss" and options.device != "cpu":
        parser.error(f"faiss-cpu runs on the CPU, not on {options.device}")
    print(
        json.dumps(
            with_faiss(options) if options.who == "faiss" else with_torch(options)
        )
    )


if __name__ == "__main__":
    main()
