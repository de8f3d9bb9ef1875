"""What the tests share. Data is made here; none comes from a file or a network."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shortlist
from numpy.typing import NDArray

PROJECT = Path(__file__).resolve().parents[2]

# People without PyTorch may leave its tests out, by name: nothing is skipped in silence.
WITHOUT_TORCH = os.environ.get("SHORTLIST_TESTS_WITHOUT_TORCH") == "1"
collect_ignore_glob = ["test_torch*.py"] if WITHOUT_TORCH else []


def pytest_report_header() -> list[str]:
    torch = "left out (SHORTLIST_TESTS_WITHOUT_TORCH)" if WITHOUT_TORCH else "included"
    return [f"library: {shortlist.library_path}", f"PyTorch tests: {torch}"]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240918)


def normal(
    rng: np.random.Generator, *shape: int, spread: float = 1.0
) -> NDArray[np.float32]:
    return (rng.standard_normal(shape) * spread).astype(np.float32)


def python_environment(**more: str) -> dict[str, str]:
    """The environment of a process that imports the same package and library."""
    package = str(Path(shortlist.__file__).resolve().parents[1])
    paths = [package, os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "SHORTLIST_LIBRARY": shortlist.library_path,
        **more,
    }


PYTHON = sys.executable


def in_child(work: Callable[[], str]) -> str:
    """What `work` returns in a forked child, or the name of what it raised."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # a hang ends the child
        try:
            answer = work()
        except BaseException as error:
            answer = type(error).__name__
        os.write(write, answer.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    assert os.waitpid(child, 0)[1] == 0, "the child died"
    return answer
