// Package layout says what the game's root file system looks like: which part comes from the runtime, which from the
// host, and where the capsule's own files lie. Its result is a list of operations for package mount.
//
// It exists so that this knowledge is in one place and pure: Compose looks at nothing but its input. Gather and ReadTree
// look at the host and the runtime beforehand; nothing here mounts or writes.
//
//	/usr /bin /lib* /opt …   the runtime's, read-only
//	/etc                     ours: a link per entry to the runtime's, and a few files of the host
//	/var                     ours: a link per entry to the runtime's, /var/tmp of the host
//	/run                     ours: what a desktop program looks for there
//	/run/host                fonts and icons of the host, read-only
//	/run/capsule             etc and var of the runtime, and what the plan puts there
//	/dev /proc /sys /tmp     the host's (/proc the program's own, if it has a PID namespace), as are the home and the working
//	                         directory, /mnt, /media, XDG_RUNTIME_DIR
//
// # Why /etc is put together from links
//
// The generated ld.so.cache has to appear as /etc/ld.so.cache, and a bind needs a target that exists. A runtime need not
// have that file, and a runtime is never written to. So /etc is a directory of our own, in which any target can be
// created. The runtime's /etc lies at /run/capsule/etc; each entry is a link into it, a link of the runtime is the same
// link again (/etc/mtab -> ../proc/self/mounts). A relative link deeper inside, such as etc/fonts/conf.d/10-a.conf ->
// ../../../usr/share/…, is resolved by the kernel from /run/capsule/etc/fonts/conf.d and so leads to /run/capsule/usr:
// therefore the root's other directories have a link in /run/capsule. The same holds for /var.
package layout
