#!/bin/sh
# Builds and runs the tests of the C library, its example and its snippet against an installed one.
#
#   Tests/CTests/run.sh PREFIX              PREFIX is what Tools/install.sh was given
#   Tests/CTests/run.sh PREFIX --sanitize   the test program under AddressSanitizer, with a library that is built so
#
# With SHORTLIST_VULKAN=0 the library must have been built without the Vulkan backend; otherwise with it, and there must
# be a Vulkan driver, software or not. Ends with "N passed, N failed".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }
[ $# -eq 1 ] || { [ $# -eq 2 ] && [ "$2" = --sanitize ]; } || { usage >&2; exit 2; }
sanitize=${2-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# check NAME COMMAND...
check() {
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok   $name"
    else
        failed=$((failed + 1))
        echo "FAIL $name"
    fi
}
# program NAME COMMAND...: a program that counts its own tests
program() {
    name=$1
    shift
    status=0
    "$@" >"$work/output" 2>&1 || status=$?
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$work/output" | tail -1)
    grep -v '^[0-9]* passed, [0-9]* failed$' "$work/output" || :
    passed=$((passed + ${counts% *} + 0))
    failed=$((failed + ${counts#* } + 0))
    if [ -z "$counts" ] || { [ "$status" -ne 0 ] && [ "${counts#* }" -eq 0 ]; }; then
        echo "FAIL $name ended with status $status"
        failed=$((failed + 1))
    fi
}

if [ -n "$sanitize" ]; then
    "$root/Tools/build-shared.sh" --sanitize=address "$work/library" >/dev/null
    prefix=$work/prefix
    "$root/Tools/install.sh" "$prefix" "$work/library"
else
    prefix=$(cd "$1" && pwd)
fi
PKG_CONFIG_PATH=$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
LD_LIBRARY_PATH=$prefix/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PKG_CONFIG_PATH LD_LIBRARY_PATH
cflags=$(pkg-config --cflags shortlist)
libs=$(pkg-config --libs shortlist)
warnings="-Wall -Wextra -Werror -pedantic"
c99="-std=c99 -D_POSIX_C_SOURCE=200809L $warnings $cflags"
sources="$here/main.c $here/check.c $here/fixture.c $here/test_abi.c $here/test_handles.c $here/test_losses.c
    $here/test_selections.c $here/test_errors.c $here/test_options.c $here/test_limits.c $here/test_retrieval.c"

# vulkan COMPILER...: the Vulkan backend, as it is here and without a driver.
# shellcheck disable=SC2086 # flags are lists
vulkan() {
    "$@" $c99 "$here/test_vulkan.c" "$here/check.c" "$here/fixture.c" -o "$work/test_vulkan" $libs -lpthread -lm
    if [ "${SHORTLIST_VULKAN:-1}" = 0 ]; then
        echo "SHORTLIST_VULKAN=0: the library is tested without the Vulkan backend"
        program test_vulkan "$work/test_vulkan" left-out
        return
    fi
    cache=$work/cache
    rm -rf "$cache"
    program test_vulkan env XDG_CACHE_HOME="$cache" "$work/test_vulkan" device
    check "compiled pipelines are kept on disk" grep -q -a '^shortlist-pipelines-1$' "$cache"/shortlist/vulkan-*.bin
    for file in "$cache"/shortlist/vulkan-*.bin; do printf 'shortlist-pipelines-1\nrubbish' >"$file"; done
    program "test_vulkan with a damaged pipeline cache" env XDG_CACHE_HOME="$cache" "$work/test_vulkan" device
    check "a damaged pipeline cache is made anew" test -z "$(grep -l -a rubbish "$cache"/shortlist/*)"
    program "test_vulkan without a driver" env VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent \
        "$work/test_vulkan" without-driver
}

# The compilers there are: gcc, and clang (Debian's, or the one of the Swift toolchain).
compilers=
for compiler in gcc clang; do
    if command -v $compiler >/dev/null; then compilers="$compilers $compiler"; fi
done

# embed-c ITEMS SEED: the losses fall, and the accuracy rises.
learns() {
    "$work/embed-c/embed-c" "$1" "$2" >"$work/embed-c/output" || return 1
    awk '/^before/ { exact = $4; hits = $9 }
         /^loss/   { if (first == "") first = $2; last = $2 }
         /^after/  { good = $4 < exact && $9 > hits && last < first }
         END       { exit !good }' "$work/embed-c/output" || { cat "$work/embed-c/output"; return 1; }
}
explains() { "$work/embed-c/embed-c" --help | grep -q '^usage: embed-c \[items\] \[seed\]$'; }
# refuses ARGUMENT...: status 2, and a message.
refuses() {
    status=0
    "$work/embed-c/embed-c" "$@" >/dev/null 2>"$work/embed-c/output" || status=$?
    [ "$status" -eq 2 ] && [ -s "$work/embed-c/output" ]
}

# shellcheck disable=SC2086 # flags and sources are lists
if [ -z "$sanitize" ]; then
    for compiler in $compilers; do
        check "the header is C99 ($compiler)" $compiler -std=c99 $warnings $cflags -fsyntax-only "$here/header.c"
        check "the header is C++11 ($compiler)" $compiler -x c++ -std=c++11 $warnings $cflags -fsyntax-only \
            "$here/header.c"
    done
    check "what the header declares is exported, and nothing else" sh "$here/exports.sh" \
        "$prefix/include/shortlist.h" "$prefix/lib/libshortlist.so"
    check "the library needs nothing but the system's" sh "$here/needs.sh" "$prefix/lib/libshortlist.so"
    check "the installed header is that of the sources" cmp "$root/include/shortlist.h" "$prefix/include/shortlist.h"

    cc -O1 -g $c99 $sources -o "$work/test_shortlist" $libs -lpthread -lm
    program test_shortlist "$work/test_shortlist"

    cc -std=c99 -O1 $warnings -shared -fPIC "$here/interpose.c" -o "$work/libinterpose.so"
    cc -O1 -g $c99 "$here/test_memory.c" "$here/check.c" "$here/fixture.c" -o "$work/test_memory" $libs -ldl -lpthread \
        -lm
    program test_memory env LD_PRELOAD="$work/libinterpose.so" "$work/test_memory"

    vulkan cc -O1 -g

    cc -O1 $c99 "$root/examples/snippets/snippet.c" -o "$work/snippet" $libs
    check "the snippet of README.md runs" "$work/snippet"
    check "embed-c is built by its Makefile" make -s -C "$root/examples/embed-c" OUT="$work/embed-c" \
        CFLAGS="-O2 $warnings"
    for items in 11 300 20000; do
        for seed in 1 2; do check "embed-c learns $items items, seed $seed" learns $items $seed; done
    done
    check "embed-c learns 100000 items, seed 3" learns 100000 3
    check "embed-c explains itself" explains
    check "embed-c refuses a number of items that is none" refuses many
    check "embed-c refuses a negative seed" refuses 100 -1
    check "embed-c refuses too many arguments" refuses 100 1 1
else
    # clang's runtime must be the one that the library was built for, so the Swift toolchain's clang. Its lld knows
    # which of the runtime's symbols to export; gold warns about hundreds.
    compiler=cc
    if command -v clang >/dev/null; then compiler="clang -fuse-ld=lld"; fi
    $compiler -O1 -g -fsanitize=address -fno-omit-frame-pointer $c99 $sources -o "$work/test_shortlist" $libs \
        -lpthread -lm
    program "test_shortlist under AddressSanitizer" env \
        ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 "$work/test_shortlist"
    ASAN_OPTIONS=detect_leaks=0
    export ASAN_OPTIONS
    vulkan $compiler -O1 -g -fsanitize=address -fno-omit-frame-pointer
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
