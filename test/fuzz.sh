#!/bin/sh
# fuzz.sh [TIME]: runs every fuzz test of the module for TIME (20s by default), one after another. A finding is written
# below testdata/fuzz of its package, from where plain `go test` runs it for ever.
set -eu
cd "$(dirname "$0")/.."
time=${1:-20s}
# A worker that is ended in the middle leaves what it has there.
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
for file in $(grep -rl --include='*_test.go' '^func Fuzz' .); do
    for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file"); do
        echo "fuzz: $name in $(dirname "$file") for $time" >&2
        # The default minimiser stalls on inputs as large as an ELF file.
        ${GO:-go} test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 10x "$(dirname "$file")"
    done
done
