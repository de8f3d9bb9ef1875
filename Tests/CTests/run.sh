#!/bin/sh
# Builds and runs the tests of the C library against an installed one.
#
#   Tests/CTests/run.sh PREFIX [--address]
#
# PREFIX is what Tools/install.sh was given. With --address the test program (and, if it was built so, the library) runs
# under AddressSanitizer. Ends with "N passed, N failed".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
[ $# -ge 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
prefix=$1
address=${2-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# result STATUS NAME
result() {
    if [ "$1" -eq 0 ]; then passed=$((passed + 1)); echo "ok   $2"; else failed=$((failed + 1)); echo "FAIL $2"; fi
}
# check NAME COMMAND...
check() {
    name=$1
    shift
    status=0
    "$@" || status=$?
    result "$status" "$name"
}
# program NAME COMMAND...: one that ends with "N passed, N failed" itself
program() {
    name=$1
    shift
    echo "--- $name"
    status=0
    "$@" >"$work/output" 2>&1 || status=$?
    cat "$work/output"
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$work/output" | tail -1)
    if [ -z "$counts" ]; then
        echo "$name ended with status $status and no counts"
        failed=$((failed + 1))
        return
    fi
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
    if [ "$status" -ne 0 ] && [ "${counts#* }" -eq 0 ]; then
        echo "$name ended with status $status"
        failed=$((failed + 1))
    fi
}

PKG_CONFIG_PATH=$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH
cflags=$(pkg-config --cflags shortlist)
libs="$(pkg-config --libs shortlist) -Wl,-rpath,$prefix/lib"
warnings="-Wall -Wextra -Werror -pedantic"
sources="$here/main.c $here/check.c $here/fixture.c $here/test_abi.c $here/test_handles.c $here/test_losses.c
    $here/test_errors.c $here/test_limits.c $here/test_retrieval.c"

# The compilers there are: gcc and clang (Debian's, or the one of the Swift toolchain).
compilers=
for compiler in gcc clang; do
    if command -v $compiler >/dev/null; then compilers="$compilers $compiler"; fi
done
[ -n "$compilers" ] || compilers=cc

# shellcheck disable=SC2086 # flags are lists
{
    if [ -z "$address" ]; then
        for compiler in $compilers; do
            check "the header is C99 ($compiler)" $compiler -std=c99 $warnings $cflags -fsyntax-only "$here/header.c"
            check "the header is C++11 ($compiler)" $compiler -x c++ -std=c++11 $warnings $cflags -fsyntax-only \
                "$here/header.c"
        done
        check "the header and the library agree on their names" sh "$here/exports.sh" \
            "$prefix/include/shortlist.h" "$prefix/lib/libshortlist.so"
        check "the library needs nothing but the system's" sh "$here/needs.sh" "$prefix/lib/libshortlist.so"
        check "the installed header is that of the sources" cmp "$root/include/shortlist.h" "$prefix/include/shortlist.h"

        cc -std=c99 -O1 -g -D_POSIX_C_SOURCE=200809L $warnings $cflags $sources -o "$work/test_shortlist" $libs \
            -lpthread -lm
        program test_shortlist "$work/test_shortlist"

        cc -std=c99 -O1 $warnings -shared -fPIC "$here/interpose.c" -o "$work/libinterpose.so"
        cc -std=c99 -O1 -g -D_POSIX_C_SOURCE=200809L $warnings $cflags "$here/test_memory.c" "$here/check.c" \
            "$here/fixture.c" -o "$work/test_memory" $libs -ldl -lpthread -lm
        program test_memory env LD_PRELOAD="$work/libinterpose.so" "$work/test_memory"
    else
        # clang's runtime must be the one that an instrumented library was built for, so the Swift toolchain's clang.
        compiler=clang
        command -v clang >/dev/null || compiler=cc
        $compiler -std=c99 -O1 -g -fsanitize=address -fno-omit-frame-pointer -D_POSIX_C_SOURCE=200809L $warnings \
            $cflags $sources -o "$work/test_shortlist" $libs -lpthread -lm
        program "test_shortlist under AddressSanitizer" env \
            ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 "$work/test_shortlist"
    fi
}

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
