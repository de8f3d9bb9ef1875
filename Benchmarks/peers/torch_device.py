"""Time and peak memory of something in PyTorch, on the CPU or on a GPU."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch


def resident(field: str) -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))


class TorchDevice:
    """A device by PyTorch's name for it. f32 products stay f32: TF32 is off, as it is for whom we compare with."""

    def __init__(self, name: str) -> None:
        self.device = torch.device(name)
        if self.device.type not in ("cpu", "cuda"):
            sys.exit(f"device {name!r}: cpu or cuda is wanted")
        if self.device.type == "cuda":
            if not torch.cuda.is_available():
                sys.exit(f"PyTorch {torch.__version__} sees no CUDA or ROCm device")
            if self.device.index is not None:  # "cuda" alone is the current device
                torch.cuda.set_device(self.device)
            torch.backends.cuda.matmul.allow_tf32 = False

    def measure(
        self,
        body: Callable[[], torch.Tensor],
        repeats: int,
        before_each: Callable[[], None] = lambda: None,
    ) -> dict[str, float | str]:
        """Seconds of `repeats` calls after one that is not counted, and peak memory above what is there now: of the
        process on a CPU, of PyTorch's allocator on a GPU. `body` returns one value."""
        on_gpu = self.device.type == "cuda"
        warm = torch.randn(64, 64, requires_grad=True, device=self.device)
        (warm @ warm).sum().backward()
        del warm
        if on_gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
        else:
            before = resident("VmRSS") * 1024
        seconds = []
        value = 0.0
        for step in range(repeats + 1):
            before_each()
            if on_gpu:
                torch.cuda.synchronize()
            start = time.perf_counter()
            found = body()
            if on_gpu:
                torch.cuda.synchronize()
            elapsed = time.perf_counter() - start
            value = found.item()
            if step or repeats == 0:
                seconds.append(elapsed)
        peak = torch.cuda.max_memory_allocated() if on_gpu else resident("VmHWM") * 1024
        seconds.sort()
        return {
            "median_s": seconds[len(seconds) // 2],
            "min_s": seconds[0],
            "max_s": seconds[-1],
            "peak_mib": (peak - before) / 1048576,
            "value": value,
            "device": torch.cuda.get_device_name() if on_gpu else "cpu",
            "torch": torch.__version__,
        }
