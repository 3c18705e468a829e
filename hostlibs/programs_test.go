package hostlibs

import (
	"testing"

	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
)

// The first path with a program of the architecture counts; without the library that it is for there is none.
func TestPrograms(t *testing.T) {
	program := string(elftest.Lib{Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libc.so.6"}}.Bytes())
	files := map[string]string{
		multiarch + "libnvidia-ml.so.1":        lib("libnvidia-ml.so.1"),
		"usr/bin/nvidia-smi":                   "#!/bin/sh\n",
		"usr/local/bin/nvidia-smi":             "\x7fELF and no more",
		"opt/bin/nvidia-smi/dir":               " ",
		"usr/lib/wsl/lib/nvidia-smi":           "-> /etc/alternatives/nvidia-smi",
		"etc/alternatives/nvidia-smi":          "-> /usr/lib/nvidia/current/nvidia-smi",
		"usr/lib/nvidia/current/nvidia-smi":    program,
		"run/current-system/sw/bin/nvidia-smi": program,
	}
	s := discover(t, edited(files), Options{})
	if len(s.Programs) != 1 || s.Programs[0].Name != "nvidia-smi" || s.Programs[0].Path != "/usr/lib/nvidia/current/nvidia-smi" ||
		s.Programs[0].Why == "" || s.Programs[0].File.Interp == "" {
		t.Errorf("%+v", s.Programs)
	}
	delete(files, multiarch+"libnvidia-ml.so.1")
	if s := discover(t, edited(files), Options{}); len(s.Programs) != 0 {
		t.Errorf("%+v", s.Programs)
	}
}
