#!/bin/sh
# make demo: a Debian 11 game, in a runtime without any GL, on this machine's graphics driver. It runs on the display
# that is there, or on a virtual one; demo.png is what it showed.
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
mkdir -p build

echo "demo: making a Debian 11 runtime with a game and without GL (once)" >&2
runtime=$($go run ./test/cmd/trees runtime11 | cut -f 2)

echo "demo: which library comes from where, and why: bin/capsule-run plan --runtime $runtime" >&2
bin/capsule-run plan --runtime "$runtime" >build/demo-plan.txt

echo "demo: bin/capsule-run --runtime $runtime -- /usr/games/neverball" >&2
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
# A home of its own: the game writes its settings there.
HOME=$home XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache} $go run ./test/cmd/screenshot \
    -o demo.png -scene -window "Neverball 1.6.0" -- \
    bin/capsule-run --runtime "$runtime" -- /usr/games/neverball >build/demo.log 2>&1 || {
    tail -n 20 build/demo.log >&2
    echo "demo: error: the game showed no scene; build/demo.log has all it said" >&2
    exit 1
}
grep -a '^GL ' build/demo.log | grep -av extensions >&2 || true
echo "demo: demo.png shows the game" >&2
