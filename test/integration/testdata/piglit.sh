#!/bin/bash
# piglit.sh JOBS SECONDS <LIST: runs the piglit programs of a list, a command a line, each for a time at most, and prints for each a line with the
# command, its exit status, and what it says of itself and its subtests.
export limit=$2 bin=/usr/lib/x86_64-linux-gnu/piglit/bin self=$0
one() {
	said=$(cd /tmp && timeout -k 5 $limit $bin/$1 2>/dev/null </dev/null)
	status=$?
	said=$(grep -a '^PIGLIT: ' <<<"$said" | grep -v '"enumerate' | tr '\n' ' ')
	# One after the other: a pipe takes only 4096 octets (PIPE_BUF) as one piece, and a program with many subtests says more.
	{ flock 9 && printf '%s\t%s\t%s\n' "$1" $status "$said"; } 9<"$self"
}
export -f one
xargs -P "$1" -d '\n' -I{} bash -c 'one "{}"'
