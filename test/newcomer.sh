#!/bin/sh
# make newcomer: what a newcomer sees. A bare tree of Debian becomes the machine: no package but git, make and
# ca-certificates, and this machine's Go. In it a fresh clone of what is committed here runs the README's commands.
#
#	SUITE     the release: bookworm (default), or another; trixie and later bring a Go that is new enough, and use that
#	TARGETS   what make is asked for, in order: "demo test" (default)
#
# Kept between runs, because they are what a second run of a newcomer has too: the trees (CAPSULE_TREES) and Go's modules.
# The packages that test/setup.sh installs are not: a package that it forgets fails here.
set -eu
cd "$(dirname "$0")/.."
suite=${SUITE:-bookworm}
targets=${TARGETS:-demo test}

fail() {
	echo "newcomer: error: $1" >&2
	[ -z "${2:-}" ] || echo "newcomer: hint: $2" >&2
	exit 1
}
say() { echo "newcomer: $*" >&2; }

[ "$(id -u)" = 0 ] || fail "only root can make a tree the machine" "run as root: make newcomer"
sh test/setup.sh newcomer
go=${GO:-go}
trees=$($go run ./test/cmd/trees cache)
modules=$($go env GOMODCACHE)
mkdir -p "$modules"

# The bare tree, made anew after a week: its package lists age.
bare=$trees/newcomer-$suite.tar
if [ -z "$(find "$bare" -mtime -7 2>/dev/null)" ]; then
	say "making a bare tree of $suite"
	mirror=$($go run ./test/cmd/trees mirror)
	# A proxy of apt's is the machine's to know. (An empty file otherwise.)
	proxies=$(mktemp)
	trap 'rm -f "$proxies" "$bare.new"' EXIT
	apt-config dump 2>/dev/null | grep -E '^Acquire::[a-z]+::Proxy' >"$proxies" || true
	mmdebstrap --quiet --format=tar --variant=minbase --include=git,make,ca-certificates --aptopt="$proxies" \
		"$suite" "$bare.new" "$mirror"
	mv "$bare.new" "$bare"
	rm -f "$proxies"
fi

work=$(mktemp -d "$trees/.newcomer-XXXXXX")
# Whoever interrupts ends the namespace's first process, and with it all others, before the tree is removed under them.
namespace=
stop() {
	# shellcheck disable=SC2046 # one number, or none
	[ -z "$namespace" ] || kill -KILL $(cat "/proc/$namespace/task/$namespace/children") 2>/dev/null || true
	wait
	exit "$1"
}
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'stop 129' HUP
trap 'stop 130' INT
trap 'stop 143' TERM
root=$work/root
mkdir "$root"
# The device nodes are the machine's.
tar -x -C "$root" --exclude='./dev/*' -f "$bare"

# What a machine has of its network: names, certificates. The rest of /etc is the release's.
cp -L /etc/resolv.conf /etc/hosts "$root/etc"
if [ -n "$(ls /usr/local/share/ca-certificates 2>/dev/null)" ]; then
	cp -rL /usr/local/share/ca-certificates "$root/usr/local/share"
	chroot "$root" update-ca-certificates >/dev/null 2>&1
fi
[ -z "$(git status --porcelain 2>/dev/null)" ] || say "note: what is not committed is not in the clone"
git clone --quiet --no-hardlinks . "$root/root/capsule-run" # of HEAD
mkdir -p "$root/var/cache/capsule-run/trees" "$root/root/go/pkg/mod" "$root/usr/local/go"

path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
goroot=
case $suite in
buster | bullseye | bookworm)
	path=/usr/local/go/bin:$path
	goroot=$($go env GOROOT)
	if [ -L "$goroot/src" ]; then # Debian's: half of it is links to /usr/share
		cp -rL "$goroot/." "$root/usr/local/go"
		goroot=
	fi
	;;
esac

# In a mount and a PID namespace of its own: nothing that a test mounts or leaves running outlives it.
cat >"$work/enter" <<'END'
set -eu
cd "$1"
mount --bind . .
cd "$1"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mount --bind "$2" var/cache/capsule-run/trees
mount --bind "$3" root/go/pkg/mod
[ -z "$4" ] || mount --bind -o ro "$4" usr/local/go
pivot_root . mnt
umount -l /mnt
cd /root/capsule-run
exec chroot / /bin/sh /root/commands
END
# One command after another, as they are typed.
cat >"$root/root/commands" <<END
export HOME=/root PATH=$path LANG=C.UTF-8
cd /root/capsule-run || exit
# All that the machine has received, in MB: what of it was this run's is exact on a quiet one.
received() { cat /sys/class/net/[!l]*/statistics/rx_bytes | awk '{ n += \$1 } END { printf "%d", n / 1e6 }'; }
for target in $targets; do
	start=\$(date +%s) before=\$(received)
	make \$target || exit
	took=\$((\$(date +%s) - start))
	echo "newcomer: make \$target: \$((took / 60)) min \$((took % 60)) s, \$((\$(received) - before)) MB from the network" >&2
done
echo "newcomer: \$(ls /var/cache/apt/archives/*.deb | wc -l) packages were installed," \
	"\$(cat /var/cache/apt/archives/*.deb | wc -c | awk '{ printf "%d", \$1 / 1e6 }') MB" >&2
END
say "$suite, $(git log -1 --format=%h), make $targets"
# What tells of the network, and that it is CI, is all that is inherited.
keep=
for name in CI http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY TERM; do
	eval "value=\${$name-}"
	[ -z "$value" ] || keep="$keep $name=$value"
done
# shellcheck disable=SC2086 # words
env -i PATH="$path" $keep GOPROXY="$($go env GOPROXY)" GOSUMDB="$($go env GOSUMDB)" \
	unshare --mount --propagation private --pid --fork --kill-child \
	sh "$work/enter" "$root" "$trees" "$modules" "$goroot" </dev/null &
namespace=$!
status=0
wait "$namespace" || status=$?
[ "$status" = 0 ] || fail "a newcomer's commands fail on $suite (status $status)"
say "all is well on $suite"
