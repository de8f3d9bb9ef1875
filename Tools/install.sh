#!/bin/sh
# Installs the C library: header, shared library with its links, pkg-config file.
#
#   Tools/install.sh PREFIX [LIBRARY_FOLDER]
#
# LIBRARY_FOLDER is where Tools/build-shared.sh put the library (default: build/ of the project; it is built when it is
# not there). DESTDIR is put before PREFIX, and does not appear in the pkg-config file.
set -eu

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }
case "${1-}" in -h | --help) usage; exit 0 ;; esac
[ $# -eq 1 ] || [ $# -eq 2 ] || { usage >&2; exit 2; }

root=$(cd "$(dirname "$0")/.." && pwd)
case "$1" in
/*) prefix=${1%/} ;;
*) prefix=$PWD/${1%/} ;;
esac
target=${DESTDIR-}$prefix

number() { sed -n "s/^#define SHORTLIST_VERSION_$1 \([0-9]*\)$/\1/p" "$root/include/shortlist.h"; }
major=$(number MAJOR)
version=$major.$(number MINOR).$(number PATCH)

libraries=${2-$root/build}
if [ $# -eq 1 ] && [ ! -f "$libraries/libshortlist.so.$version" ]; then
    "$root/Tools/build-shared.sh" "$libraries" >/dev/null
fi

install -d "$target/include" "$target/lib/pkgconfig"
install -m 644 "$root/include/shortlist.h" "$target/include/shortlist.h"
install -m 755 "$libraries/libshortlist.so.$version" "$target/lib/libshortlist.so.$version"
ln -sf "libshortlist.so.$version" "$target/lib/libshortlist.so.$major"
ln -sf "libshortlist.so.$major" "$target/lib/libshortlist.so"
cat >"$target/lib/pkgconfig/shortlist.pc" <<EOF
prefix=$prefix
includedir=\${prefix}/include
libdir=\${prefix}/lib

Name: shortlist
Description: Softmax cross-entropy over output layers too large to materialise
Version: $version
Cflags: -I\${includedir}
Libs: -L\${libdir} -lshortlist
EOF
echo "installed shortlist $version in $target" >&2
