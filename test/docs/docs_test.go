// Package docs checks what the documents say against what there is: links lead to files, and messages that are explained
// are messages of ours. It exists because nothing else fails when either changes.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const top = "../.."

func documents(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(top + "/docs/*.md")
	if err != nil || len(names) < 10 {
		t.Fatalf("%d documents: %v", len(names), err)
	}
	out := map[string]string{}
	for _, name := range append(names, top+"/README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	return out
}

func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)
	for name, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s: %s leads nowhere", filepath.Base(name), m[1])
			}
		}
	}
}

// A heading of troubleshooting.md is a message with … in place of what differs.
func TestExplainedMessages(t *testing.T) {
	sources := &strings.Builder{}
	out, err := exec.Command("git", "-C", top, "ls-files", "*.go", "*.c").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(out)) {
		if strings.HasPrefix(name, "test/") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(top, name))
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(text)
	}
	all := strings.ReplaceAll(sources.String(), "\"\n        \"", "") // a string of C in two lines
	explained := 0
	for _, m := range regexp.MustCompile(`(?m)^### (.*)$`).FindAllStringSubmatch(documents(t)[top+"/docs/troubleshooting.md"], -1) {
		if m[1] == "no graphics, or llvmpipe instead of the GPU" || strings.HasPrefix(m[1], "version `GLIBC_") {
			continue // what is seen, and ld.so's
		}
		explained++
		for _, part := range strings.Split(m[1], "…") {
			if part = strings.Trim(part, " ,:()"); len(part) > 3 && !strings.Contains(all, part) {
				t.Errorf("no source says %q (%s)", part, m[1])
			}
		}
	}
	if explained < 15 {
		t.Errorf("%d messages are explained", explained)
	}
}
