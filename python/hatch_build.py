"""Puts libshortlist.so into the wheel: built here with Swift, or made before.

SHORTLIST_LIBRARY names a libshortlist.so to take; without it `Tools/build-shared.sh` of the
project builds one, in the folder that SHORTLIST_BUILD names or in .build/shared.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LibraryHook(BuildHookInterface):
    """A wheel of one platform and any Python 3; a source archive with the Swift sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "sdist":
            build_data["force_include"].update(self._native_sources())
            return
        if sys.platform != "linux" or platform.machine() != "x86_64":
            raise SystemExit(
                f"shortlist: {sys.platform} on {platform.machine()} is not supported yet; "
                "Linux on x86-64 is"
            )
        library = self._given() or self._built()
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-linux_x86_64"
        build_data["force_include"][str(library)] = "shortlist/libshortlist.so"

    def finalize(self, *_: Any) -> None:
        folder = getattr(self, "folder", None)
        if folder is not None:
            folder.cleanup()

    def _native_sources(self) -> dict[str, str]:
        """The sources of the library, which travel in native/ of a source archive."""
        project = Path(self.root).parent
        if not (project / "Package.swift").is_file():
            return {}  # an archive of an archive: native/ is there already
        wanted = [
            "Package.swift",
            "LICENSE",
            "Sources",
            "include",
            "Tools/build-shared.sh",
        ]
        # The manifest names its tests, and is refused without them.
        tests = (project / "Tests").glob("*Tests")
        wanted += sorted(str(folder.relative_to(project)) for folder in tests)
        return {str(project / name): f"native/{name}" for name in wanted}

    def _given(self) -> Path | None:
        name = os.environ.get("SHORTLIST_LIBRARY")
        if not name:
            return None
        library = Path(name).resolve()
        if not library.is_file():
            raise SystemExit(f"shortlist: SHORTLIST_LIBRARY names no file: {name}")
        return library

    def _built(self) -> Path:
        here = Path(self.root)
        native = here / "native" if (here / "native").is_dir() else here.parent
        script = native / "Tools" / "build-shared.sh"
        if not script.is_file():
            raise SystemExit(
                f"shortlist: no sources of the library at {native}; build from the project "
                "or from its source archive, or name a libshortlist.so in SHORTLIST_LIBRARY"
            )
        if shutil.which("swift") is None:
            raise SystemExit(
                "shortlist: building the library takes Swift 6.3 or later "
                "(https://www.swift.org/install) and OpenBLAS (on Debian: apt install "
                "libopenblas-dev pkg-config gcc g++). Install these, or a wheel, or name a "
                "libshortlist.so of this version in SHORTLIST_LIBRARY"
            )
        self.folder = tempfile.TemporaryDirectory()
        done = subprocess.run(["sh", str(script), self.folder.name], stdout=sys.stderr)
        if done.returncode != 0:
            raise SystemExit(
                "shortlist: the library was not built; see the messages above"
            )
        return (Path(self.folder.name) / "libshortlist.so").resolve()
