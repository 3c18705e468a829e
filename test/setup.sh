#!/bin/sh
# Installs what building, the demo, the tests and the benchmarks need on a Debian machine, and only what is missing.
#
#	test/setup.sh build|demo|test|bench|newcomer …
#
# As root it uses apt. Anyone else is told in one message what is missing, and the command that installs it (exit 1).
# It downloads no package lists unless the present ones cannot provide something.
set -eu

# Each entry is PACKAGE, or PACKAGE=COMMAND where having the command, from wherever, is enough.
build="gcc=gcc libc6-dev make=make golang-go=go ca-certificates"
# For 32-bit programs; other architectures have no such package.
[ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ] || build="$build libc6-dev-i386"
mesa="libgl1 libegl1 libgles2 libglx-mesa0 libegl-mesa0 libgl1-mesa-dri libgbm1 mesa-vulkan-drivers libvulkan1"
# Another architecture's parts are built by a cross compiler, and its trees run in qemu-user.
aarch64=
[ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ] ||
	aarch64="gcc-aarch64-linux-gnu=aarch64-linux-gnu-gcc libc6-dev-arm64-cross qemu-user-static=qemu-aarch64-static"
# mmdebstrap asks arch-test whether this machine runs programs of another architecture (i386, arm64).
trees="mmdebstrap=mmdebstrap arch-test=arch-test bubblewrap=bwrap debian-archive-keyring xvfb=Xvfb"

usage() {
	echo "usage: test/setup.sh build|demo|test|bench|newcomer …" >&2
	exit 2
}

[ $# -gt 0 ] || usage
want=
for group; do
	case $group in
	build) want="$want $build" ;;
	demo) want="$want $build $mesa $trees x11-apps=xwd" ;;
	# The engines are for the hook and CDI; systemd checks the units.
	test) want="$want $build $mesa $trees binutils=readelf xz-utils=xz strace=strace gdb=gdb linux-perf=perf xauth=xauth x11-utils=xwininfo
		util-linux=unshare mount=mount mesa-utils=glxinfo vulkan-tools=vulkaninfo git=git weston=weston xwayland=Xwayland
		flatpak=flatpak pipewire=pipewire pipewire-bin=pw-record pipewire-pulse=pipewire-pulse wireplumber=wireplumber xdg-desktop-portal xdg-desktop-portal-gtk fuse3=fusermount3
		libglib2.0-bin=gdbus podman=podman runc=runc
		crun=crun uidmap=newuidmap fuse-overlayfs=fuse-overlayfs slirp4netns=slirp4netns passwd=useradd
		systemd=systemd-analyze pulseaudio=pulseaudio pulseaudio-utils=pactl dbus-daemon=dbus-daemon fonts-dejavu-core
		chromium=chromium $aarch64" ;;
	bench) want="$want $build $mesa $trees util-linux=unshare mesa-utils=glxgears podman=podman runc=runc" ;;
	newcomer) want="$want golang-go=go ca-certificates git=git mmdebstrap=mmdebstrap debian-archive-keyring util-linux=unshare mount=mount" ;;
	*) usage ;;
	esac
done
# Without root, mmdebstrap needs the set-uid programs that hand out user ids.
[ "$(id -u)" = 0 ] || want="$want uidmap=newuidmap"

# have ENTRY: is it there? Libraries can be checked on Debian only; elsewhere they are taken to be there.
have() {
	case $1 in
	*=*) command -v "${1#*=}" >/dev/null && return 0 ;;
	esac
	if ! command -v dpkg-query >/dev/null; then
		case $1 in
		*=*) return 1 ;;
		*) return 0 ;;
		esac
	fi
	case "$installed" in
	*"
${1%%=*}
"*) return 0 ;;
	esac
	return 1
}

installed=
if command -v dpkg-query >/dev/null; then
	installed="
$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
"
fi
missing=
for entry in $want; do
	case " $missing " in *" ${entry%%=*} "*) continue ;; esac
	have "$entry" || missing="$missing ${entry%%=*}"
done
missing=${missing# }

if [ -n "$missing" ]; then
	install="apt-get install --no-install-recommends -y $missing"
	if ! command -v apt-get >/dev/null; then
		echo "setup: error: missing on this machine (Debian's package names): $missing" >&2
		exit 1
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "setup: error: missing packages: $missing" >&2
		echo "setup: hint: run as root: $install" >&2
		exit 1
	fi
	echo "setup: installing $missing" >&2
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	# shellcheck disable=SC2086 # a list of words
	if ! $install >"$log" 2>&1; then
		if ! { apt-get update && $install; } >"$log" 2>&1; then
			tail -n 15 "$log" >&2
			echo "setup: error: apt could not install: $missing" >&2
			exit 1
		fi
	fi
fi

# From 1.21 on, the go command fetches the release that go.mod names by itself.
minor=$(go version | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
if [ "${minor:-99}" -lt 21 ]; then
	echo "setup: error: $(go version | cut -d' ' -f3) is too old: Go 1.21 or newer is needed" >&2
	echo "setup: hint: install it from Debian's backports or from go.dev, and put it first in PATH" >&2
	exit 1
fi
