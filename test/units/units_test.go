// Package units has systemd itself look at the units in configs/systemd. It exists because a mistake in one shows nowhere
// else: systemd ignores what it does not know. Nothing is started.
package units

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	// The program need not be installed here.
	dir := t.TempDir()
	program := filepath.Join(dir, "capsule-run")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	verify := func(t *testing.T, edit func(string) string) string {
		args := []string{"--man=no", "verify"}
		files, err := filepath.Glob("../../configs/systemd/capsule-*")
		if err != nil || len(files) < 2 {
			t.Fatalf("%q, %v", files, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(dir, filepath.Base(f))
			if err := os.WriteFile(to, []byte(edit(strings.ReplaceAll(string(text), "/usr/bin/capsule-run", program))), 0o644); err != nil {
				t.Fatal(err)
			}
			args = append(args, to)
		}
		out, err := exec.Command(analyze, args...).CombinedOutput()
		if err != nil {
			return string(out) + err.Error()
		}
		return string(out)
	}
	if out := verify(t, func(s string) string { return s }); strings.Contains(out, "capsule-") {
		t.Errorf("systemd says:\n%s", out)
	}
	if out := verify(t, func(s string) string { return strings.Replace(s, "Type=", "Typ=", 1) }); !strings.Contains(out, "capsule-cdi.service") {
		t.Errorf("a mistake is not found:\n%s", out)
	}
}
