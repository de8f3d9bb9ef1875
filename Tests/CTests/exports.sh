#!/bin/sh
# exports.sh HEADER LIBRARY: every function that the header declares is exported, and nothing else is.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Without comments and inline functions, a declaration is a line that begins at the margin and names shortlist_x(.
sed -e 's://.*$::' "$1" | tr '\n' ' ' | sed -e 's:/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/: :g' -e 's/# *[a-z]* *[^;]*$//' |
    tr ';{' '\n\n' | grep -v 'static inline' | grep -v 'typedef' |
    sed -n 's/.*[ *]\(shortlist_[a-z0-9_]*\)(.*)[ ]*$/\1/p' | sort -u >"$work/declared"
nm -D -g --defined-only "$2" | sed 's/.* //' | sort -u >"$work/exported"
if ! [ -s "$work/declared" ]; then echo "no declaration was found in $1" >&2; exit 1; fi
if ! diff "$work/declared" "$work/exported" >"$work/difference"; then
    echo "declared and not exported (<), exported and not declared (>):" >&2
    cat "$work/difference" >&2
    exit 1
fi
