#!/bin/sh
# vulncheck.sh [FLAG…]: govulncheck over all that is built, tests included. It fails where a known vulnerability is reached
# (FLAGs are govulncheck's; -db names another database). Where the database cannot be had, as on a machine without the
# internet, nothing can be said, and that is what is said.
set -eu
cd "$(dirname "$0")/.."
# The newest that the Go of go.mod can build.
govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.1.4
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ${GO:-go} run "$govulncheck" -test "$@" ./... >"$log" 2>&1; then
	echo "vulncheck: no known vulnerability is reached" >&2
elif grep -q '^govulncheck: fetching vulnerabilities:' "$log"; then
	sed -n 's/^govulncheck: fetching vulnerabilities:/vulncheck: note: NOT CHECKED, no database:/p' "$log" >&2
else
	cat "$log" >&2
	echo "vulncheck: error: govulncheck failed, or found a vulnerability" >&2
	exit 1
fi
