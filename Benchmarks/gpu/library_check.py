"""The carried libshortlist.so on the device, called from Python: its SCE and exact cross-entropy against its own CPU
backend. Prints one line of JSON; ends with status 1 where they differ."""

from __future__ import annotations

import argparse
import json
import sys

try:
    import numpy as np
except ModuleNotFoundError:
    sys.exit("this Python has no NumPy, which the Python package needs")
import shortlist


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", type=int, required=True)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    hidden = random.standard_normal((300, 24), dtype=np.float32)
    items = random.standard_normal((3_000, 24), dtype=np.float32)
    targets = random.integers(0, 3_000, 300)
    found = {}
    for name in ("cross_entropy", "sce"):
        extra = {"seed": 7} if name == "sce" else {}
        calls = {
            backend: getattr(shortlist, name)(
                hidden,
                items,
                targets,
                gradients=("hidden", "catalog"),
                backend=backend,
                **({"device": options.device} if backend == "vulkan" else {}),
                **extra,
            )
            for backend in ("cpu", "vulkan")
        }
        cpu, gpu = calls["cpu"], calls["vulkan"]
        found[name] = {
            "loss": gpu.loss,
            "relative_difference": abs(gpu.loss - cpu.loss) / abs(cpu.loss),
            "gradient_difference": float(
                np.abs(gpu.gradients.catalog - cpu.gradients.catalog).max()
                / np.abs(cpu.gradients.catalog).max()
            ),
        }
    print(json.dumps(found))
    worst = max(
        max(entry["relative_difference"], entry["gradient_difference"])
        for entry in found.values()
    )
    # f32 sums in another order: far above rounding, far below any real difference.
    if not worst < 1e-4:
        sys.exit(f"the device's results differ from the CPU's by {worst:.2g}")


if __name__ == "__main__":
    main()
