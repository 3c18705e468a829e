package launch

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// wantUserNS decides Auto: root with CAP_SYS_ADMIN needs no user namespace, and without one keeps its rights over
// devices and files.
func wantUserNS(t Tri) bool {
	switch t {
	case Yes:
		return true
	case No:
		return false
	}
	if os.Geteuid() != 0 {
		return true
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) == 0
}

// Forbidden says whether a launch failed because this machine, or the container that we are in, lets us have no namespaces:
// then a direct one may do.
func Forbidden(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.errno == 0 || e.Op != "namespace" && e.Op != "mount" {
		return false
	}
	switch unix.Errno(e.errno) {
	case unix.EPERM, unix.EACCES, unix.ENOSPC, unix.EINVAL, unix.EUSERS, unix.ENOSYS:
		return true
	}
	return false
}

// explain adds the hint to an error that a refused namespace may be the cause of. The kernel's word for it misleads:
// ENOSPC has nothing to do with disks.
func (c *initProcess) explain(e *Error) {
	if e.errno == 0 || e.Hint != "" {
		return
	}
	e.Hint = namespaceHint(unix.Errno(e.errno), c.userNS, func(name string) string {
		b, _ := os.ReadFile(name)
		return string(b)
	})
}

// namespaceHint says which setting forbids what we need. read returns a file's content, empty if there is none.
func namespaceHint(errno unix.Errno, userNS bool, read func(string) string) string {
	sysctl := func(name string) string {
		return strings.TrimSpace(read("/proc/sys/" + strings.ReplaceAll(name, ".", "/")))
	}
	switch errno {
	case unix.EPERM, unix.EACCES, unix.ENOSPC, unix.EINVAL, unix.EUSERS, unix.ENOSYS:
	default:
		return ""
	}
	if !userNS {
		if sysctl("user.max_mnt_namespaces") == "0" {
			return "mount namespaces are switched off: sysctl user.max_mnt_namespaces=0"
		}
		return "root needs CAP_SYS_ADMIN; in a container, start it with that capability, or allow user namespaces"
	}
	for _, s := range [...]struct{ name, forbids, hint string }{
		{"user.max_user_namespaces", "0", "user namespaces are switched off; allow them: sysctl user.max_user_namespaces=16384"},
		{"user.max_mnt_namespaces", "0", "mount namespaces are switched off; allow them: sysctl user.max_mnt_namespaces=16384"},
		{"user.max_pid_namespaces", "0", "process namespaces are switched off; allow them: sysctl user.max_pid_namespaces=16384"},
		{"kernel.unprivileged_userns_clone", "0",
			"user namespaces are for root only; allow them: sysctl kernel.unprivileged_userns_clone=1"},
		{"kernel.apparmor_restrict_unprivileged_userns", "1", "AppArmor restricts user namespaces; allow them: " +
			"sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give capsule-run a profile with \"userns\""},
	} {
		if sysctl(s.name) == s.forbids {
			return s.hint
		}
	}
	switch {
	case errno == unix.ENOSPC:
		return "the limit of user namespaces is reached; look at sysctl user.max_user_namespaces (" +
			sysctl("user.max_user_namespaces") + " here, less in a surrounding container perhaps)"
	case errno == unix.EUSERS:
		return "more than 32 user namespaces are nested"
	case errno == unix.EINVAL || errno == unix.ENOSYS:
		return "this kernel has no user namespaces (CONFIG_USER_NS); run as root"
	case chrooted(read("/proc/self/mountinfo")):
		return "user namespaces are forbidden inside a chroot; start from outside it"
	case strings.Contains(read("/proc/self/status"), "\nSeccomp:\t2"):
		return "a seccomp filter forbids it, as container engines install; " +
			"allow user namespaces in its profile, or start capsule-run outside the container"
	}
	return "user namespaces are forbidden here; look at sysctl user.max_user_namespaces and at the security modules' logs"
}

// chrooted says whether a mountinfo file has no mount at "/", which is so when the root is not a mount point.
func chrooted(info string) bool {
	for line := range strings.Lines(info) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == "/" {
			return false
		}
	}
	return info != ""
}
