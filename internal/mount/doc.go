// Package mount builds a root file system from an ordered list of operations and makes it the root of the calling
// process's mount namespace.
//
// It exists so that the list is plain data: the planner writes it, `plan` shows it, the launcher and a container
// hook apply it, and none of them needs to know how Linux mounts things. It decides nothing about what a root should
// hold, and it never creates, changes or removes a file outside the file systems that it has mounted itself: a target
// that is missing is created only when its directory lies on one of them.
//
// Sources are opened once, with the descriptor of the old root as their root, and mounted by descriptor; targets are
// resolved with the new root's descriptor as their root. So an absolute symbolic link means on each side what it
// means to the programs of that side, and a swapped path component cannot lead a mount out of the new root.
//
// Two sets of system calls do the work: the mount API of Linux 5.2 to 5.12 (fsopen, open_tree, move_mount,
// mount_setattr, openat2) and, where it is missing or forbidden, mount(2).
package mount
