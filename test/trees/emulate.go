package trees

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
