"""What a call from Python costs beyond the same call from C.

    python Benchmarks/python/call_overhead.py

Exact cross-entropy with both gradients at sizes so small that the work is microseconds, one
thread; Python allocates its outputs in every call, or writes to the caller's. C and Python
take turns. Takes a C compiler.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import shortlist
import shortlist.torch
import torch

HERE = Path(__file__).resolve().parent
SIZES = [(1, 2, 16), (16, 100, 64), (64, 1000, 64)]
REPEATS, TURNS = 2000, 7


def compiled(folder: str) -> str:
    library = Path(shortlist.library_path).resolve()
    program = str(Path(folder) / "call_overhead")
    include = HERE.parent.parent / "include"
    command = ["cc", "-O2", "-std=c99", f"-I{include}", str(HERE / "call_overhead.c")]
    # Loaded by its path: the file has the name that its loader looks for elsewhere.
    subprocess.run(
        [*command, str(library), f"-Wl,-rpath,{library.parent}", "-o", program],
        check=True,
    )
    return program


def median(call: Callable[[], object]) -> float:
    """Microseconds of a call."""
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e6


def main() -> int:
    draw, torch_threads = np.random.default_rng(0), torch.get_num_threads()
    torch.set_num_threads(1)
    wanted = ("hidden", "catalog")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(folder)
        for n, c, d in SIZES:
            x = draw.standard_normal((n, d), dtype=np.float32)
            y = draw.standard_normal((c, d), dtype=np.float32)
            t = np.arange(n) % c
            out = {"hidden": np.empty_like(x), "catalog": np.empty_like(y)}
            hidden = torch.from_numpy(x).requires_grad_()
            weight, targets = (
                torch.nn.Parameter(torch.from_numpy(y)),
                torch.from_numpy(t),
            )

            def plain(x=x, y=y, t=t) -> None:
                shortlist.cross_entropy(x, y, t, gradients=wanted, threads=1)

            def into(x=x, y=y, t=t, out=out) -> None:
                shortlist.cross_entropy(x, y, t, gradients=wanted, threads=1, out=out)

            def autograd(h=hidden, w=weight, t=targets) -> None:
                torch.autograd.grad(shortlist.torch.cross_entropy(h, w, t), (h, w))

            plain(), into(), autograd()
            times: dict[str, list[float]] = {"C": []}
            calls = {"NumPy": plain, "NumPy, out=": into, "PyTorch": autograd}
            for _ in range(TURNS):
                done = subprocess.run(
                    [program, *map(str, (n, c, d, REPEATS))],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                times["C"].append(float(done.stdout))
                for name, call in calls.items():
                    times.setdefault(name, []).append(median(call))
            middle = {name: statistics.median(found) for name, found in times.items()}
            rows.append({"size": (n, c, d), "microseconds": middle})
    torch.set_num_threads(torch_threads)
    print(
        "| N, C, d | C | NumPy | beyond C | NumPy, `out=` | beyond C | PyTorch | beyond C |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        middle = row["microseconds"]
        cells = [f"{middle['C']:.1f}"]
        for name in ("NumPy", "NumPy, out=", "PyTorch"):
            cells += [f"{middle[name]:.1f}", f"{middle[name] - middle['C']:.1f}"]
        n, c, d = row["size"]
        print(f"| {n}, {c:,}, {d} | {' | '.join(cells)} |")
    print(json.dumps(rows), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
