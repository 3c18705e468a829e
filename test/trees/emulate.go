package trees

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// emulation is how a program of a tree is run on a machine of another architecture. The machine need not have qemu
// registered with the kernel (binfmt_misc), which nobody inside of a container can see to. So only the program that is
// started is emulated: what it starts itself must be the machine's.
type emulation struct {
	bind    []string // for bwrap
	command []string // in front of the program
}

// Emulator is Debian's static qemu-user for aarch64, and EmulatorInside where Enter has it.
const (
	Emulator       = "qemu-aarch64-static"
	EmulatorInside = "/dev/qemu-aarch64"
)

// LookEmulator returns the path of what runs a tree's programs: empty, unless the tree is for aarch64 and the machine is
// not.
func LookEmulator(root string) (path string, err error) {
	if _, err := os.Lstat(filepath.Join(root, "lib/ld-linux-aarch64.so.1")); err != nil || runtime.GOARCH == "arm64" {
		return "", nil
	}
	if path, err = exec.LookPath(Emulator); err != nil {
		return "", fmt.Errorf("run programs of %s: %w (Debian: qemu-user-static)", root, err)
	}
	return path, nil
}

func emulate(root string) (e emulation, err error) {
	qemu, err := LookEmulator(root)
	if err != nil || qemu == "" {
		return e, err
	}
	// /dev is bwrap's own and writable, the tree is not.
	return emulation{bind: []string{"--ro-bind", qemu, EmulatorInside}, command: []string{EmulatorInside}}, nil
}

// Registered makes the command run in a user namespace whose binfmt_misc knows the emulator, so that programs of
// a tree start others of it. The machine's own binfmt_misc stays as it is. False: the machine's kernel (before Linux 6.7)
// has but one.
func Registered(cmd *exec.Cmd) (*exec.Cmd, bool) {
	systems, err := os.ReadFile("/proc/filesystems")
	qemu, missing := exec.LookPath(Emulator)
	if err != nil || missing != nil || !strings.Contains(string(systems), "binfmt_misc") || !linuxSince(6, 7) {
		return nil, false
	}
	cmd.Args = append([]string{"unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c", register, qemu}, cmd.Args...)
	cmd.Path, cmd.Err = exec.LookPath(cmd.Args[0])
	return cmd, true
}

// register tells the kernel by what an executable for aarch64 is known (<linux/binfmts.h>): class, byte order and machine
// in its ELF header. "F": the emulator is opened now, not by its path inside of a container.
const register = `mount -t binfmt_misc none /proc/sys/fs/binfmt_misc &&
printf '%s' ':aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'\
':\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$0:F" \
>/proc/sys/fs/binfmt_misc/register && exec "$@"`

// linuxSince says whether the kernel is of a release or a later one.
func linuxSince(major, minor int) bool {
	var name unix.Utsname
	var a, b int
	if unix.Uname(&name) != nil {
		return false
	}
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &a, &b); n != 2 {
		return false
	}
	return a > major || a == major && b >= minor
}
