package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestInitStartsEarly looks at what the run-time system initialises in the process that is to be the program, before package
// launch takes it over: a launch waits for all of it. An import of launch's whose name comes late in the alphabet is enough
// to have everything else come first (cmd/link sorts what is ready).
func TestInitStartsEarly(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"capsule-run: init", "no", "numbers"}
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 125 || strings.Contains(string(out), "--- ") {
		t.Fatalf("%v; it is not launch that began:\n%s", err, out)
	}
	if !strings.Contains(string(out), "init os ") {
		t.Fatalf("no trace of initialisations:\n%s", out)
	}
	if late := regexp.MustCompile(`(?m)^init (regexp|github\.com/spf13|go\.yaml|html/|main ).*`).FindString(string(out)); late != "" {
		t.Errorf("initialised before package launch: %s", late)
	}
}
