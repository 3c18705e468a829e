package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// message is all that a failure may print: what is wrong with which object, and what to do about it.
var message = regexp.MustCompile(`\Acapsule-run: error: \S[^\n]*\ncapsule-run: hint: \S[^\n]*\n\z`)

// cmdFails runs `fails STATUS PROGRAM [ARG…]`: the program must exit with the status and print one line of error and
// one of hint; no file below $WORK and no mount may change. The script goes on with `stderr`.
func cmdFails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fails STATUS PROGRAM [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	work := ts.Getenv("WORK")
	files, mounted := snapshot(ts, work), mounts()

	err = ts.Exec(args[1], args[2:]...)
	status := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	if status != want {
		ts.Fatalf("exit status %d, not %d\n%s%s", status, want, stdout, stderr)
	}
	if stdout != "" {
		ts.Fatalf("printed on standard output: %s", stdout)
	}
	if !message.MatchString(stderr) {
		ts.Fatalf("not one line of error and one of hint:\n%s", stderr)
	}
	if after := snapshot(ts, work); after != files {
		ts.Fatalf("files have changed from\n%s\nto\n%s", files, after)
	}
	if after := mounts(); after != mounted {
		ts.Fatalf("mounts have changed from\n%s\nto\n%s", mounted, after)
	}
	ts.Logf("%s", stderr)
}

// snapshot lists a tree: names, modes, sizes, times of change.
func snapshot(ts *testscript.TestScript, dir string) string {
	var b strings.Builder
	ts.Check(filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := d.Info()
		if err == nil {
			fmt.Fprintln(&b, p, i.Mode(), i.Size(), i.ModTime().UnixNano())
		}
		return err
	}))
	return b.String()
}

// cmdSame runs `same PROGRAM [ARG…]` twice: the output must be the same and not empty.
func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	var out [2]string
	for i := range out {
		ts.Check(ts.Exec(args[0], args[1:]...))
		out[i] = ts.ReadFile("stdout")
	}
	if neg || out[0] == "" || out[0] != out[1] {
		ts.Fatalf("not twice the same:\n%s\n%s", out[0], out[1])
	}
}

// cmdKeys checks `keys PATH KEY…`: the last output is one JSON value, and the object at PATH ("." or "host.libraries.0")
// has exactly these keys; one that may be absent ends with "?".
func cmdKeys(ts *testscript.TestScript, neg bool, args []string) {
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	var v any
	ts.Check(d.Decode(&v))
	if d.More() {
		ts.Fatalf("more than one JSON value")
	}
	for _, step := range strings.FieldsFunc(args[0], func(r rune) bool { return r == '.' }) {
		if list, ok := v.([]any); ok {
			i, err := strconv.Atoi(step)
			ts.Check(err)
			if i >= len(list) {
				ts.Fatalf("%s: a list of %d", args[0], len(list))
			}
			v = list[i]
			continue
		}
		object, ok := v.(map[string]any)
		if v = object[step]; !ok || v == nil {
			ts.Fatalf("%s: no %s", args[0], step)
		}
	}
	object, ok := v.(map[string]any)
	if !ok || neg {
		ts.Fatalf("%s is no object", args[0])
	}
	documented := map[string]bool{}
	for _, k := range args[1:] {
		name, optional := strings.CutSuffix(k, "?")
		documented[name] = true
		if _, ok := object[name]; !ok && !optional {
			ts.Fatalf("%s has no key %s", args[0], name)
		}
	}
	for k := range object {
		if !documented[k] {
			ts.Fatalf("%s has an undocumented key %s", args[0], k)
		}
	}
}

// cmdLines checks `lines MIN MAX` of the last standard output; none may be wider than a terminal.
func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	low, err := strconv.Atoi(args[0])
	ts.Check(err)
	high, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := strings.Split(strings.TrimSuffix(ts.ReadFile("stdout"), "\n"), "\n")
	if neg || len(text) < low || len(text) > high {
		ts.Fatalf("%d lines", len(text))
	}
	for _, l := range text {
		if len([]rune(l)) > 100 {
			ts.Fatalf("a line of %d characters: %s", len([]rune(l)), l)
		}
	}
}

// cmdWide checks `wide COLUMNS`: no line of the last output is wider, but for words that cannot be broken.
func cmdWide(ts *testscript.TestScript, neg bool, args []string) {
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	for l := range strings.Lines(ts.ReadFile("stdout")) {
		l = strings.TrimSuffix(l, "\n")
		if long := len([]rune(l)) > most; long && (neg || !regexp.MustCompile(`\S{40}`).MatchString(l)) {
			ts.Fatalf("a line of %d characters: %s", len([]rune(l)), l)
		}
	}
}

// cmdEmpty checks `empty DIR`: nothing is left there.
func cmdEmpty(ts *testscript.TestScript, neg bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) > 0 != neg {
		ts.Fatalf("%s has %v", args[0], entries)
	}
}

// cmdCut shortens: `cut FILE BYTES`.
func cmdCut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	file := ts.MkAbs(args[0])
	info, err := os.Stat(file)
	ts.Check(err)
	if info.Size() <= n {
		ts.Fatalf("%s has %d bytes only", file, info.Size())
	}
	ts.Check(os.Truncate(file, n))
}
