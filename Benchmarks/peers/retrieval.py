"""Exact top-k by faiss-cpu's flat index or by torch.topk over all scores: time and peak memory as one line of JSON."""

from __future__ import annotations

import argparse
import json
import time

import numpy as np


def memory(field: str) -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--who", choices=["faiss", "torch"], required=True)
    for name in ("tokens", "items", "width", "k"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    generator = np.random.default_rng(1)
    queries = generator.standard_normal(
        (options.tokens, options.width), dtype=np.float32
    )
    items = generator.standard_normal((options.items, options.width), dtype=np.float32)
    if options.who == "faiss":
        import faiss

        faiss.omp_set_num_threads(options.threads)
        index = faiss.IndexFlatIP(options.width)
        index.add(items)
        del items

        def search() -> float:
            return float(index.search(queries, options.k)[0].sum())
    else:
        import torch

        torch.set_num_threads(options.threads)
        b, y = torch.from_numpy(queries), torch.from_numpy(items)

        def search() -> float:
            return float(torch.topk(b @ y.T, options.k).values.sum())

    before = memory("VmRSS")
    seconds = []
    value = search()
    for _ in range(options.repeats):
        start = time.perf_counter()
        value = search()
        seconds.append(time.perf_counter() - start)
    seconds.sort()
    print(
        json.dumps(
            {
                "median_s": seconds[len(seconds) // 2],
                "min_s": seconds[0],
                "max_s": seconds[-1],
                "peak_mib": (memory("VmHWM") - before) / 1024,
                "value": value,
            }
        )
    )


if __name__ == "__main__":
    main()
