#!/bin/sh
# needs.sh LIBRARY: it has its SONAME and needs the C, C++ and mathematics libraries of the system and nothing else.
set -eu
readelf -d "$1" | grep -q 'SONAME.*\[libshortlist\.so\.0\]' || { echo "wrong SONAME" >&2; exit 1; }
others=$(readelf -d "$1" | sed -n 's/.*NEEDED.*\[\(.*\)\].*/\1/p' |
    grep -v -E '^(libc|libm|libdl|libpthread|libstdc\+\+|libgcc_s|ld-linux-x86-64)\.so\.[0-9]+$' || :)
if [ -n "$others" ]; then
    echo "needs also: $others" >&2
    exit 1
fi
