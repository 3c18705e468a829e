#!/bin/sh
# make demo: a Debian 11 game in a runtime without any GL, on this machine's Mesa. Leaves demo.png.
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}

echo "demo: a Debian 11 runtime with a game and without GL" >&2
$go run ./test/cmd/trees runtime11 >build/demo-runtime
runtime=$(tail -n 1 build/demo-runtime)

echo "demo: neverball from Debian 11 on this machine's graphics driver" >&2
bin/capsule-run --runtime "$runtime" --verbose -- glxinfo -B >build/demo-glxinfo 2>&1 || true
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
HOME=$home $go run ./test/cmd/screenshot -o demo.png -scene -- \
    bin/capsule-run --runtime "$runtime" -- /usr/games/neverball
echo "demo: see demo.png" >&2
