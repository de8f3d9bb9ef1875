"""What Tools/check-layers must find, and what it must not."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

# One line of source that breaks a rule each, and what is to be said of it.
BROKEN = [
    (
        "Sources/ShortlistCore/A.swift",
        "import ShortlistLosses",
        "ShortlistCore imports ShortlistLosses",
    ),
    ("Sources/ShortlistCore/B.swift", "import Foundation", "imports Foundation"),
    (
        "Sources/ShortlistLosses/C.swift",
        "@_exported import Shortlist",
        "imports Shortlist;",
    ),
    (
        "Sources/ShortlistReference/D.swift",
        "internal import struct ShortlistCore.Report",
        "imports ShortlistCore",
    ),
    ("Sources/ShortlistNew/E.swift", "let a = 1", "ShortlistNew has no layer"),
    (
        "Sources/ShortlistConformance/PlainBackend/F.swift",
        "import ShortlistLosses",
        "imports ShortlistLosses",
    ),
    (
        "Tests/T/G.swift",
        "@testable import ShortlistC",
        "imports ShortlistC, which nothing may",
    ),
    ("examples/H.swift", "import ShortlistLosses", "no product"),
    (
        "Sources/ShortlistLosses/I.swift",
        "let best = CPUBackend()",
        "names a backend: CPUBackend",
    ),
    ("Sources/ShortlistLosses/J.swift", 'let name = "cpu"', 'names a backend: "cpu"'),
    (
        "Sources/Shortlist/K.swift",
        "public func f(_ x: shortlist_status) {}",
        "the C type shortlist_status",
    ),
    (
        "Sources/ShortlistVulkan/K.swift",
        "public func f(_ x: slv_buffer) {}",
        "the C type slv_buffer",
    ),
    (
        "Sources/ShortlistCPU/K.swift",
        "import CVulkan",
        "ShortlistCPU imports CVulkan",
    ),
    ("Sources/ShortlistCPU/L.swift", "let a = try! f()", "try!"),
    ("Sources/ShortlistCPU/M.swift", "let a = b as! C", "as!"),
    ("Sources/ShortlistCPU/N.swift", "let a = b[0]!.c", "a forced unwrap"),
    ("Sources/ShortlistCPU/O.swift", "var a: Int!", "a forced unwrap"),
    ("Sources/ShortlistCPU/P.swift", 'let a = "\\(b!)"', "a forced unwrap"),
    ("Sources/ShortlistC/P.swift", "let a = pointer!", "a forced unwrap"),
    ("Sources/ShortlistCore/Q.swift", "fatalError()", "a trap"),
    (
        "Sources/CShortlistKernels/r.c",
        "void f(void) { abort(); }",
        "abort() in a library",
    ),
    ("other/Package.swift", 'let a = [.unsafeFlags(["-O"])]', "unsafeFlags"),
    (
        "Package.swift",
        '.target(name: "ShortlistLosses", dependencies: ["ShortlistCore", "ShortlistCPU"]),',
        "ShortlistLosses depends on ShortlistCPU",
    ),
]
SOUND = [
    (
        "Sources/ShortlistLosses/Z.swift",
        "import ShortlistCore  // not CPUBackend\n/* /* try! */ CPU */ let a = b != c",
    ),
    (
        "Sources/ShortlistCore/Y.swift",
        'let a = "import Foundation! \\(b == c ? "d!" : e) try! as!"\nlet f = !g',
    ),
    (
        "Sources/ShortlistCPU/X.swift",
        'let a = """\n  say "abort()!" \\(b)!\n  """\nimport Glibc',
    ),
    (
        "Sources/ShortlistC/W.swift",
        "func f(_ a: UnsafePointer<shortlist_batch>!, _ b: OpaquePointer!) {}",
    ),
    (
        "Package.swift",
        '.target(name: "ShortlistLosses", dependencies: ["ShortlistCore"]),  // unsafeFlags',
    ),
]


def self_test(check: Callable[[Path], list[str]]) -> int:
    """Each line alone in a tree of its own: what `check` finds there must be what is wanted."""
    failed = 0
    for file, line, wanted in [*BROKEN, *((file, line, None) for file, line in SOUND)]:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "Package.swift").write_text("")
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(f"// A first line.\n{line}\n")
            found = check(root)
            place = f"{file}:{1 if wanted and 'no layer' in wanted else 2}:"
            if wanted is None:
                right = not found
            else:
                right = len(found) == 1 and wanted in found[0] and place in found[0]
            if not right:
                failed += 1
                print(
                    f"check-layers: of '{line}' expected {wanted}, found {found}",
                    file=sys.stderr,
                )
    print(f"{len(BROKEN) + len(SOUND) - failed} passed, {failed} failed")
    return 1 if failed else 0
