"""The wheel in an empty virtual environment, and what building one without Swift says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import shortlist
from conftest import PROJECT, PYTHON

CLEAN = {
    name: value
    for name, value in os.environ.items()
    if name not in ("PYTHONPATH", "SHORTLIST_LIBRARY", "LD_LIBRARY_PATH")
}

PROGRAM = """
import sys
import numpy as np
import shortlist
assert shortlist.library_path.startswith(sys.prefix), shortlist.library_path
x = np.eye(40, 8, dtype=np.float32)
result = shortlist.sce(x, x, np.arange(40), gradients=("hidden", "catalog_rows"))
assert np.isfinite(result.loss) and result.gradients.hidden.any()
from shortlist import metrics
assert metrics.evaluate_ranking(x[:8], x, np.arange(8), ks=(1,)).hr[1] == 1
mapped = open("/proc/self/maps").read()
assert "libswift" not in mapped, "the library brings a Swift runtime of the system"
assert not any(
    "openblas" in line and "numpy" not in line for line in mapped.splitlines()
), "the library brings an OpenBLAS of the system"
print(shortlist.__version__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [PROJECT / "Tools" / "build-wheel.sh", out],
        env={
            **CLEAN,
            "SHORTLIST_LIBRARY": shortlist.library_path,
            "SHORTLIST_BUILD_PYTHON": sys.executable,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().splitlines()[-1])


def test_the_wheel_is_for_any_python_and_the_glibc_that_it_needs(wheel: Path) -> None:
    name = re.fullmatch(
        r"shortlist-(.+)-py3-none-manylinux_2_(\d+)_x86_64\.whl", wheel.name
    )
    assert name is not None and name[1] == shortlist.__version__
    with zipfile.ZipFile(wheel) as archive:
        library = archive.extract("shortlist/libshortlist.so", wheel.parent)
        names = archive.namelist()
    assert "shortlist/py.typed" in names and "shortlist/torch/modules.py" in names
    assert not any(".libs/" in name for name in names), "nothing had to be bundled"
    symbols = subprocess.run(
        ["objdump", "-T", library], check=True, capture_output=True, text=True
    ).stdout
    needed = max(int(minor) for minor in re.findall(r"\(GLIBC_2\.(\d+)", symbols))
    assert int(name[2]) == needed
    # docs/python.md promises it: a newer toolchain that needs more has to say so there.
    assert needed <= 34


def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "--no-input", wheel]
    done = subprocess.run(install, env=CLEAN, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run = subprocess.run(
        [python, "-c", PROGRAM],
        env=CLEAN,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == shortlist.__version__


def test_a_source_archive_without_swift_says_what_to_install(tmp_path: Path) -> None:
    build = [PYTHON, "-m", "build", "--no-isolation"]
    subprocess.run(
        [*build, "--sdist", "--outdir", tmp_path, PROJECT / "python"],
        env=CLEAN,
        check=True,
        capture_output=True,
    )
    (archive,) = tmp_path.glob("shortlist-*.tar.gz")
    shutil.unpack_archive(archive, tmp_path / "unpacked")
    (folder,) = (tmp_path / "unpacked").iterdir()
    assert (folder / "native" / "Sources" / "ShortlistC").is_dir()
    assert (folder / "native" / "Tools" / "build-shared.sh").is_file()
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "env"):
        (tools / name).symlink_to(shutil.which(name) or "")
    done = subprocess.run(
        [*build, "--wheel", "--outdir", tmp_path, folder],
        env={**CLEAN, "PATH": str(tools)},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "Swift 6.3" in said and "libopenblas-dev" in said and "wheel" in said
