"""The library beside what else a process loads."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import shortlist
from conftest import PROJECT, PYTHON, normal, python_environment


def test_a_swift_program_with_its_own_runtime_opens_and_calls_the_library(
    tmp_path: Path,
) -> None:
    source = Path(__file__).with_name("swift_host.swift")
    program = tmp_path / "main"
    (tmp_path / "main.swift").write_text(source.read_text())
    subprocess.run(
        ["swiftc", "-swift-version", "6", "-warnings-as-errors", "-O"]
        + ["-I", PROJECT / "include", tmp_path / "main.swift", "-o", program],
        check=True,
        capture_output=True,
    )
    done = subprocess.run(
        [program, shortlist.library_path], capture_output=True, text=True, timeout=60
    )
    log_4 = f"{np.log(4):.6f}"
    assert done.stdout == f"{log_4} {log_4} {log_4} {log_4}\ncaught a failure\n"
    assert done.stderr == "" and done.returncode == 0


NUMPY_AND_SHORTLIST = """
import hashlib
import numpy as np
import shortlist
a = np.random.default_rng(0).standard_normal((700, 700), dtype=np.float32)
{first}
for part in (a @ a, np.linalg.inv(a + 700 * np.eye(700, dtype=np.float32))):
    print(hashlib.sha256(part.tobytes()).hexdigest())
"""


def test_numpys_own_blas_gives_the_same_bits_after_the_library_has_worked() -> None:
    call = "shortlist.cross_entropy(a, a, np.arange(700), gradients=('hidden',))"
    outputs = {
        subprocess.run(
            [PYTHON, "-c", NUMPY_AND_SHORTLIST.format(first=first)],
            env=python_environment(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for first in ("", call)
    }
    assert len(outputs) == 1


def test_the_processors_that_a_process_may_use_are_left_alone(
    rng: np.random.Generator,
) -> None:
    import os

    before = os.sched_getaffinity(0)
    x = normal(rng, 50, 8)
    shortlist.cross_entropy(x, x, np.arange(50), gradients=("hidden", "catalog"))
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGSEGV", "SIGCHLD"])
def test_importing_installs_no_signal_handler(signal_name: str) -> None:
    program = (
        "import signal, numpy as np\n"
        f"before = signal.getsignal(signal.{signal_name})\n"
        "import shortlist\n"
        "x = np.ones((9, 3), np.float32)\n"
        "shortlist.cross_entropy(x, x, np.arange(9))\n"
        f"assert signal.getsignal(signal.{signal_name}) is before\n"
    )
    subprocess.run([PYTHON, "-c", program], env=python_environment(), check=True)
