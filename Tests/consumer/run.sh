#!/usr/bin/env bash
# Builds and runs a separate package that depends on this one, and checks what it prints. The copy lies in a temporary
# folder (kept between runs where CONSUMER_BUILD names one), so that nothing of the repository's own builds is found.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -R "$root/Tests/consumer/." "$folder"
# The plain backend as a third party would have it: outside the package, where `package` declarations are out of reach.
cp "$root"/Sources/ShortlistConformance/PlainBackend/*.swift "$folder/Sources/OwnBackend/"
sed -i "s|path: \"../..\"|path: \"$root\"|" "$folder/Package.swift"

out="$folder/out"
# build VULKAN: with the Vulkan backend left out (0) or in (1); what the program prints is in $out.
build() {
    export SHORTLIST_VULKAN=$1
    swift build -c release --package-path "$folder" --scratch-path "${CONSUMER_BUILD:-$folder/.build}" \
        --product consumer
    program=$(swift build -c release --package-path "$folder" --scratch-path "${CONSUMER_BUILD:-$folder/.build}" \
        --show-bin-path)/consumer
    # As on a machine without a Vulkan driver, so that no GPU of this one is chosen.
    VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent "$program" | tee "$out"
}

passed=0
failed=0
check() { # check WHAT TEST…
    local what=$1
    shift
    if "$@"; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAIL: $what"
    fi
}
value() { sed -nE "s/^$1 ([0-9.]+).*/\1/p" "$out"; }
less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && b != "" && a < b) }'; }
checks() { # checks WHICH
    check "$1: the CPU is the best backend" grep -q '^backend cpu: highest score' "$out"
    check "$1: the SCE loss falls" less "$(value 'step 20 sce')" "$(value 'step 0 sce')"
    check "$1: the exact cross-entropy falls" less "$(value 'cross-entropy after')" "$(value 'cross-entropy before')"
    check "$1: before training, it is the logarithm of 4000" less 8.2 "$(value 'cross-entropy before')"
    check "$1: most targets are found" less 200 "$(value 'targets among the top 10:')"
    check "$1: ranks agree with the lists" grep -qx 'ranks agree with the lists: true' "$out"
    check "$1: a backend from outside agrees" grep -qx 'own backend agrees: true' "$out"
    # OpenBLAS alone (and what it brings): beside it, the program needs the C and C++ libraries and Swift's own.
    strange=$(ldd "$program" | awk '{ print $1 }' | grep -vE \
        '^(linux-vdso|/lib64/ld-linux|lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s|openblas|gfortran|quadmath|swift.*|dispatch|BlocksRuntime)\.)' || true)
    check "$1: OpenBLAS is all that it needs, not: $strange" test -z "$strange"
}

build 0
checks "without Vulkan"
check "the Vulkan backend can be left out" grep -qx 'backends cpu' "$out"
build 1
checks "with Vulkan"
check "the Vulkan backend is in a build that has its headers" grep -qx 'backends cpu vulkan' "$out"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
