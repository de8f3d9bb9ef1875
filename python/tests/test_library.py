"""The ctypes declarations against the header, and the loading of the library."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from ctypes import c_char_p, c_double, c_int32, c_int64, c_uint64, c_void_p
from pathlib import Path
from typing import Any

import pytest
import shortlist
from conftest import PROJECT, PYTHON, python_environment
from shortlist import _library as c

HEADER = PROJECT / "include" / "shortlist.h"


@pytest.fixture(scope="module")
def header() -> str:
    """The header without comments and preprocessor lines."""
    text = re.sub(r"/\*.*?\*/", " ", HEADER.read_text(), flags=re.S)
    text = re.sub(r"\\\n", " ", text)
    return re.sub(r"^\s*#.*$", "", text, flags=re.M)


def printed(tmp_path: Path, body: str) -> list[str]:
    """What a C program with this in its main prints."""
    compiler = shutil.which("cc")
    assert compiler is not None, "the comparison with the header takes a C compiler"
    source = tmp_path / "program.c"
    source.write_text(
        f'#include <stdio.h>\n#include "{HEADER}"\nint main(void) {{\n{body}\nreturn 0; }}\n'
    )
    program = tmp_path / "program"
    subprocess.run([compiler, "-std=c99", "-o", program, source], check=True)
    done = subprocess.run([program], check=True, capture_output=True, text=True)
    return done.stdout.split()


def ctypes_of(declared: str) -> Any:
    """The ctypes type of a C type: arrays of numbers and handles are void pointers."""
    plain = declared.replace("const ", "").strip()
    scalars = {
        "shortlist_status": c_int32,
        "int32_t": c_int32,
        "int64_t": c_int64,
        "uint64_t": c_uint64,
        "char *": c_char_p,
        "double *": ctypes.POINTER(c_double),
    }
    if plain in scalars:
        return scalars[plain]
    handle = r"shortlist_(context|catalog|state) \*"
    if re.fullmatch(handle, plain) or re.fullmatch(r"(float|u?int\w+_t) \*", plain):
        return c_void_p
    if re.fullmatch(handle + r"\*", plain):
        return ctypes.POINTER(c_void_p)
    struct = re.fullmatch(r"shortlist_(\w+) \*", plain)
    assert struct is not None, f"no rule for the C type {declared!r}"
    return ctypes.POINTER(c.STRUCTS[struct[1]])


def test_every_function_of_the_header_is_declared_as_there(header: str) -> None:
    found = {}
    pattern = r"^(?!static)([\w ]+?[ *]+)shortlist_(\w+)\(([^;{]*)\);"
    for result, name, arguments in re.findall(pattern, header, flags=re.M | re.S):
        parameters = [" ".join(p.split()) for p in arguments.split(",")]
        types = [re.sub(r"\w+$", "", p).strip() for p in parameters]
        types = [] if parameters == ["void"] else types
        found[name] = (ctypes_of(result.strip()), [ctypes_of(t) for t in types])
    assert len(found) > 25
    assert set(found) == set(c.SIGNATURES)
    for name, (result, arguments) in c.SIGNATURES.items():
        header_result, header_arguments = found[name]
        assert result is header_result, name
        assert len(arguments) == len(header_arguments), name
        for place, (ours, theirs) in enumerate(zip(arguments, header_arguments)):
            # int64_t * is an array or a number that comes back: both are pointers to it.
            same = ours is theirs or (
                ours is ctypes.POINTER(c_int64) and theirs is c_void_p
            )
            assert same, f"{name}, argument {place}: {ours} and {theirs}"


def test_every_struct_has_the_size_and_offsets_of_the_header(
    header: str, tmp_path: Path
) -> None:
    declared = set(re.findall(r"^} shortlist_(\w+);", header, flags=re.M))
    assert declared == set(c.STRUCTS)
    body, expected = "", []
    for name, struct in c.STRUCTS.items():
        fields = re.search(
            rf"typedef struct shortlist_{name} {{(.*?)}}", header, flags=re.S
        )
        assert fields is not None
        names = re.findall(r"(\w+)(?:\[\d+\])?;", fields[1])
        assert names == [field[0] for field in struct._fields_], name
        body += f'printf("%zu\\n", sizeof(shortlist_{name}));\n'
        expected.append(ctypes.sizeof(struct))
        for field in names:
            body += f'printf("%zu %zu\\n", offsetof(shortlist_{name}, {field}),'
            body += f" sizeof(((shortlist_{name} *)0)->{field}));\n"
            place = getattr(struct, field)
            expected += [place.offset, place.size]
    assert list(map(int, printed(tmp_path, body))) == expected


def test_every_struct_starts_with_the_defaults_of_its_init_macro(
    header: str, tmp_path: Path
) -> None:
    macros = re.findall(r"#define SHORTLIST_(\w+)_INIT\b", HEADER.read_text())
    sized = {
        name: struct
        for name, struct in c.STRUCTS.items()
        if issubclass(struct, c.SizedStructure)
    }
    assert {macro.lower() for macro in macros} == set(sized)
    body = ""
    for name in sized:
        body += f"{{ static shortlist_{name} s = SHORTLIST_{name.upper()}_INIT;"
        body += "for (size_t i = 0; i < sizeof s; i++)"
        body += ' printf("%02x", ((unsigned char *)&s)[i]); puts(""); }\n'
    for name, bytes_of_c in zip(sized, printed(tmp_path, body)):
        assert bytes(sized[name]()).hex() == bytes_of_c, name


def test_every_constant_is_that_of_the_header(tmp_path: Path) -> None:
    ours = {f"SHORTLIST_{name}": value for name, value in c.STATUS.items()}
    ours |= {"SHORTLIST_OK": c.OK, "SHORTLIST_FLOAT32": c.FLOAT32}
    ours |= {"SHORTLIST_INT32": c.INT32, "SHORTLIST_INT64": c.INT64}
    for prefix, table in (
        ("REDUCTION", c.REDUCTION),
        ("CATALOG_GRADIENT", c.CATALOG_GRADIENT),
        ("DIRECTIONS", c.DIRECTIONS),
        ("COMBINATION", c.COMBINATION),
        ("STREAM", c.STREAM),
    ):
        ours |= {f"SHORTLIST_{prefix}_{k.upper()}": v for k, v in table.items()}
    declared = set(
        re.findall(r"^    (SHORTLIST_\w+) = -?\d+", HEADER.read_text(), re.M)
    )
    later = {"SHORTLIST_FLOAT16", "SHORTLIST_BFLOAT16"}
    assert declared - later == set(ours)
    body = "".join(f'printf("%d\\n", (int){name});\n' for name in ours)
    assert list(map(int, printed(tmp_path, body))) == list(ours.values())


def test_the_version_is_that_of_the_header() -> None:
    number = r"#define SHORTLIST_VERSION_{} (\d+)"
    text = HEADER.read_text()
    parts = [
        re.search(number.format(part), text) for part in ("MAJOR", "MINOR", "PATCH")
    ]
    assert ".".join(part[1] for part in parts if part) == shortlist.__version__


def imported(library: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-c", "import shortlist"],
        env=python_environment(SHORTLIST_LIBRARY=str(library)),
        capture_output=True,
        text=True,
    )


def test_a_library_of_another_version_fails_the_import_naming_both_and_the_path(
    tmp_path: Path,
) -> None:
    source, library = tmp_path / "other.c", tmp_path / "libother.so"
    source.write_text('const char *shortlist_version_string(void) { return "9.8.7"; }')
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    done = imported(library)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError:")
    assert "9.8.7" in last and shortlist.__version__ in last and str(library) in last


def test_what_is_no_library_fails_the_import_naming_the_path(tmp_path: Path) -> None:
    text = tmp_path / "libshortlist.so"
    text.write_text("not a library")
    for path in (text, tmp_path / "missing.so", "libm.so.6"):
        done = imported(path)
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("ImportError:") and str(path) in last
