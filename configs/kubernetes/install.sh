#!/bin/sh
# Installs capsule-run on a node, and keeps the CDI specification of its GPUs up to date. It is the DaemonSet's program; the
# node's root directory is mounted at $NODE.
#
#	NODE      where the node's / is (/host)
#	PREFIX    directory on the node for the programs (/opt/capsule-run)
#	SPEC      the specification on the node (/var/run/cdi/capsule-gpu.json: gone after a restart of the node, as its nodes are)
#	INTERVAL  seconds between two looks at the GPUs; 0: one look
#	FLAGS     further flags of cdi generate, such as --no-groups
set -eu
node=${NODE:-/host} prefix=${PREFIX:-/opt/capsule-run} spec=${SPEC:-/var/run/cdi/capsule-gpu.json} interval=${INTERVAL:-60}

# A container may be starting with the old ones: they are replaced, never written to.
umask 022
mkdir -p "$node$prefix/bin"
for program in capsule-run capsule-hook; do
	to=$node$prefix/bin/$program
	cp "/usr/bin/$program" "$to.new"
	chmod 755 "$to.new"
	mv -f "$to.new" "$to"
done
echo "installed $prefix/bin"

# In the node's root: what is looked at are the node's devices, and paths in the specification are the node's. What is as it
# should be is not written.
refresh() {
	# shellcheck disable=SC2086 # a list of flags
	chroot "$node" "$prefix/bin/capsule-run" cdi generate --hook "$prefix/bin/capsule-hook" --output "$spec" ${FLAGS:-}
}
refresh
echo "wrote $spec"
trap 'exit 0' TERM INT
while [ "$interval" -gt 0 ]; do
	sleep "$interval" &
	wait $!
	refresh || echo "the specification is as it was" >&2
done
