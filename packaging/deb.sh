#!/bin/sh
# Makes build/capsule-run_VERSION_ARCH.deb out of `make install`, and prints its path. dpkg-deb is all that it needs.
#
#	packaging/deb.sh VERSION [ARCH]
set -eu
[ $# -ge 1 ] || { echo "usage: packaging/deb.sh VERSION [ARCH]" >&2; exit 2; }
command -v dpkg-deb >/dev/null || {
	echo "deb: error: dpkg-deb is not installed" >&2
	echo "deb: hint: on Debian it is in the package dpkg; elsewhere use make install" >&2
	exit 1
}
cd "$(dirname "$0")/.."
# In Debian's order 0.1.0~dev comes before 0.1.0, which 0.1.0-dev would not (deb-version(7)).
version=$(echo "$1" | tr - '~')
arch=${2:-$(dpkg --print-architecture)}
tree=build/deb
rm -rf "$tree"
umask 022 # the files are everybody's to read, whoever builds them
${MAKE:-make} --no-print-directory -s install DESTDIR="$PWD/$tree" PREFIX=/usr
mkdir -p "$tree/DEBIAN"
cat >"$tree/DEBIAN/control" <<END
Package: capsule-run
Version: $version
Architecture: $arch
Maintainer: The capsule-run developers <capsule-run@example.invalid>
Installed-Size: $(du -sk --exclude=DEBIAN "$tree" | cut -f1)
Section: utils
Priority: optional
Recommends: libgl1, libegl1, mesa-vulkan-drivers
Suggests: podman
Description: runs old programs on the GPU driver of today's machine
 capsule-run starts a program in an old or pinned runtime (a Steam-style
 runtime, an old container image, a set of libraries) with the host's GPU
 stack, without replacing a library of the runtime: the driver is loaded into
 a namespace of its own in the program's process, and that process keeps one C
 library, the runtime's.
END
deb=build/capsule-run_${version}_$arch.deb
dpkg-deb --root-owner-group --build "$tree" "$deb" >&2
rm -rf "$tree"
echo "$deb"
