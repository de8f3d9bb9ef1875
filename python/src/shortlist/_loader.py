"""Finds and loads the shared library, once, and turns its statuses into exceptions."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from ._errors import make_error
from ._library import declare
from ._version import __version__


def _path() -> str:
    named = os.environ.get("SHORTLIST_LIBRARY")
    if named:
        return named
    packaged = Path(__file__).with_name("libshortlist.so")
    if packaged.is_file():
        return str(packaged)
    raise ImportError(
        f"shortlist {__version__} has no library at {packaged}: install a wheel, or "
        "`pip install ./python` in the project where Swift is installed, or name a "
        "libshortlist.so of the same version in SHORTLIST_LIBRARY"
    )


def _load(path: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"shortlist cannot load its library {path}: {error}"
        ) from error
    try:
        version = library.shortlist_version_string
    except AttributeError as error:
        raise ImportError(f"{path} is not a Shortlist library") from error
    version.restype = ctypes.c_char_p
    found = version().decode()
    if found != __version__:
        raise ImportError(
            f"the Python package shortlist is version {__version__}, but the library "
            f"{path} is version {found}; the two must be the same"
        )
    declare(library)
    return library


PATH = _path()
C: Any = _load(PATH)
"""The library with its functions declared. Calls release the GIL."""


def check(status: int) -> None:
    """Raises the exception of a status that is not 0; the only place that does."""
    if status != 0:
        raise make_error(
            status,
            C.shortlist_status_name(status).decode(),
            C.shortlist_last_error_message().decode(),
            C.shortlist_last_error_need(),
        )
