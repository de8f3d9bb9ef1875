"""The Python snippet of README.md: `Tools/check-snippets` holds the two to each other, and the tests run it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
LIBRARY = sys.argv[1]
