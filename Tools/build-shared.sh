#!/bin/sh
# Builds libshortlist.so, self-contained: Swift's runtime and OpenBLAS inside, nothing exported but shortlist_*.
#
#   Tools/build-shared.sh [--sanitize=address] OUT
#
# puts libshortlist.so.VERSION and its two links into the folder OUT. Environment:
#   SHORTLIST_OPENBLAS_ARCHIVE   libopenblas.a to link (default: that of pkg-config's openblas, or the compiler's)
#   SHORTLIST_BUILD              the build folder (default: .build/shared)
set -eu

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0"; }
fail() { echo "build-shared.sh: $1" >&2; exit 1; }

sanitize=
case "${1-}" in
--sanitize=address) sanitize=$1; shift ;;
-h | --help) usage; exit 0 ;;
esac
[ $# -eq 1 ] || { usage >&2; exit 2; }

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
build=${SHORTLIST_BUILD:-$root/.build/shared}${sanitize:+-address}
mkdir -p "$build"

[ "$(uname -s)" = Linux ] || fail "$(uname -s) is not supported yet; Linux on x86-64 is"
[ "$(uname -m)" = x86_64 ] || echo "build-shared.sh: $(uname -m) is untested" >&2

# ---- the version, as the header says it ----
number() { sed -n "s/^#define SHORTLIST_VERSION_$1 \([0-9]*\)$/\1/p" "$root/include/shortlist.h"; }
major=$(number MAJOR) minor=$(number MINOR) patch=$(number PATCH)
version=$major.$minor.$patch

# ---- OpenBLAS's static archive ----
archive=${SHORTLIST_OPENBLAS_ARCHIVE-}
if [ -z "$archive" ]; then
    for candidate in "$(pkg-config --variable=libdir openblas 2>/dev/null || :)/libopenblas.a" \
        "$(cc -print-file-name=libopenblas.a)"; do
        if [ -f "$candidate" ]; then archive=$candidate; break; fi
    done
fi
[ -f "$archive" ] || fail "no libopenblas.a: install libopenblas-dev, or set SHORTLIST_OPENBLAS_ARCHIVE"

# The package asks pkg-config for openblas. It gets a folder that has the archive and no shared library, so that the
# linker takes the archive.
private=$build/openblas
mkdir -p "$private"
ln -sf "$(readlink -f "$archive")" "$private/libopenblas.a"
cat >"$private/openblas.pc" <<EOF
Name: openblas
Description: OpenBLAS, its static archive
Version: $(pkg-config --modversion openblas 2>/dev/null || echo 0.3)
Cflags: $(pkg-config --cflags openblas 2>/dev/null || :)
Libs: -L$private -lopenblas
EOF

# ---- build ----
PKG_CONFIG_PATH=$private${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH
set -- --package-path "$root" --scratch-path "$build" -c release --product shortlist-c \
    -Xswiftc -static-stdlib ${sanitize:+"$sanitize"} \
    -Xlinker "-L$private" -Xlinker --as-needed \
    -Xlinker "--version-script=$root/Sources/ShortlistC/shortlist.map" \
    -Xlinker "-soname=libshortlist.so.$major" \
    -Xlinker -z -Xlinker nodelete # Swift's runtime cannot be unloaded
swift build "$@" >&2
built=$(swift build "$@" --show-bin-path)/libshortlist-c.so

# ---- put it in place, under its own name, without debugging symbols ----
if [ -n "$sanitize" ]; then
    cp "$built" "$out/libshortlist.so.$version"
else
    strip --strip-unneeded -o "$out/libshortlist.so.$version" "$built"
fi
ln -sf "libshortlist.so.$version" "$out/libshortlist.so.$major"
ln -sf "libshortlist.so.$major" "$out/libshortlist.so"
if readelf -d "$out/libshortlist.so" | grep -E 'NEEDED.*(swift|openblas|gfortran|Foundation)'; then
    fail "the library is not self-contained"
fi
echo "$out/libshortlist.so.$version"
