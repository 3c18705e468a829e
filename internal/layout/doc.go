// Package layout says what the game's root file system looks like: which part comes from the runtime, which from the
// host, and where the capsule's own files lie. Its result is a list of operations for package mount.
//
// It exists so that this knowledge is in one place and pure: Compose looks at nothing but its input. Gather and ReadTree
// look at the host and the runtime beforehand; nothing here mounts or writes.
//
//	/usr /bin /lib* /opt …   the runtime's, read-only
//	/etc                     the runtime's, with a few files of the host and the loader's cache
//	/var                     the runtime's, /var/tmp of the host
//	/run                     ours: what a desktop program looks for there
//	/run/host                fonts and icons of the host, read-only
//	/usr/lib/capsule         what the plan puts there
//	/dev /proc /sys /tmp     the host's (/proc the program's own, if it has a PID namespace), as are the home and the working
//	                         directory, /mnt, /media, XDG_RUNTIME_DIR
//
// # Why there are rooms
//
// The generated ld.so.cache has to appear as /etc/ld.so.cache, and a bind needs a target that
// exists. A runtime need not have that file, and a runtime is never written to. So /etc is a room
// (mount.Room): a directory with the runtime's entries and places for others. Links would do for a
// program that sees all of the new root, but not in a sandbox that the program makes for a part of
// itself: those show /etc and /usr, or /usr/lib, with all that is mounted there, and hide /run. For
// the same reason the capsule lies below /usr/lib, which is a room, too.
package layout
