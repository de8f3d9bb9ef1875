"""The library's random numbers, for others to draw the directions of a selection."""

from __future__ import annotations

from ctypes import byref
from typing import Literal

import numpy as np

from . import _library as c
from ._arrays import Arrays, FloatArray
from ._loader import C, check


def philox_normal(
    rows: int,
    columns: int,
    *,
    seed: int,
    step: int = 0,
    stream: Literal["directions", "mixing"] = "directions",
    first_row: int = 0,
) -> FloatArray:
    """(rows, columns) float32 standard normal numbers out of Philox 4×32-10.

    Entry (r, c) is entry (first_row + r, c) of the infinite matrix that seed, step and
    stream name. SCE with "gaussian" directions uses (bucket_count, d) from row 0 of
    "directions"; round r of RECE begins at row r · bucket_count. A pure function.
    """
    for name, value, limit in (("seed", seed, 64), ("step", step, 56)):
        if not 0 <= value < 2**limit:
            raise ValueError(f"{name} is {value}; wanted 0 or more and below 2^{limit}")
    if stream not in c.STREAM:
        raise ValueError(f"stream is {stream!r}; wanted one of {list(c.STREAM)}")
    draws = np.empty((rows, columns), dtype=np.float32)
    matrix = Arrays().matrix(draws, "draws")
    check(
        C.shortlist_philox_normal(
            byref(matrix), seed, step, c.STREAM[stream], first_row
        )
    )
    return draws
