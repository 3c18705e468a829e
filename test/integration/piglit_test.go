//go:build integration

package integration

import (
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/xml"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// Programs of piglit (Debian 12's) that take a moment each and whose results do not change from run to run. First those
// that are about GLX, EGL and GLES, then every fourth of the others.
//
//go:embed testdata/piglit-tests.txt
var piglitTests string

//go:embed testdata/piglit.sh
var piglitScript string

// piglitRun is one side: it runs a list of commands, jobs at a time, each for so many seconds at most, and returns what was
// printed.
type piglitRun func(t *testing.T, jobs, seconds string, list []string) string

// A peer's tests of GL, on Debian 12's Mesa: each gives the same result through the capsule as it gives natively, its
// subtests too, whether that is a pass or not.
func TestPiglit(t *testing.T) {
	full, runtime := trees.Tree(t, "fullpiglit12"), trees.Tree(t, "piglit12")
	list := strings.Split(strings.TrimSpace(piglitTests), "\n")
	if os.Getenv("CAPSULE_PIGLIT") == "all" {
		list = allOfPiglit(t, full)
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	must(t, os.WriteFile(dir+"/piglit.sh", []byte(piglitScript), 0o755))
	natively := func(t *testing.T, jobs, seconds string, list []string) string {
		ctx, cancel := context.WithTimeout(t.Context(), piglitLimit)
		defer cancel()
		cmd := trees.Enter(ctx, full, dir, xvfb.Start(t).Env(), "/mnt/piglit.sh", jobs, seconds)
		cmd.Stdin = strings.NewReader(strings.Join(list, "\n"))
		out, _ := cmd.Output() // of xargs, which says that some program failed
		return string(out)
	}
	inCapsule := func(t *testing.T, jobs, seconds string, list []string) string {
		l := launch{runtime: runtime, host: full, display: xvfb.Start(t), argv: []string{"/mnt/piglit.sh", jobs, seconds},
			flags: []string{"--bind", dir + ":/mnt:ro"}, stdin: strings.Join(list, "\n"), limit: piglitLimit}
		return l.run(t).stdout
	}
	if os.Getenv("CAPSULE_PIGLIT") != "all" && len(list) < 300 {
		t.Fatalf("the list has only %d programs", len(list))
	}
	want, got := piglit(t, natively, "3", "60", list), piglit(t, inCapsule, "3", "60", list)
	var again []string
	for _, command := range list {
		if want[command] != got[command] && !(crashesNatively[command] && verdict(want[command]) == "crash" && verdict(got[command]) == "pass") {
			again = append(again, command)
		}
	}
	// Some measure time, share the X server badly, or do not come to their end: what differs is repeated, alone and for longer.
	t.Logf("%d programs, %d to repeat: %q", len(list), len(again), again)
	if len(again) > len(list)/10 {
		t.Errorf("%d of %d programs differ", len(again), len(list))
		again = again[:10]
	}
	if len(again) > 0 {
		want2, got2 := piglit(t, natively, "1", "600", again), piglit(t, inCapsule, "1", "600", again)
		for _, command := range again {
			natively := []string{want[command], want2[command]}
			if !slices.Contains(natively, got[command]) && !slices.Contains(natively, got2[command]) {
				t.Errorf("%s\nnatively: %s\nin the capsule: %s", command, want2[command], got2[command])
			}
		}
	}
	verdicts := map[string]int{}
	for _, command := range list {
		verdicts[verdict(got[command])]++
	}
	t.Logf("in the capsule: %v", verdicts)
	if verdicts["pass"] < len(list)*3/4 {
		t.Errorf("only %d of %d pass", verdicts["pass"], len(list))
	}
}

// Programs with an error of their own that only shows natively. egl_khr_fence_sync closes libEGL between its subtests and
// then has strcmp read a string that was in it (peglCreateSyncKHR); in a capsule nothing is unloaded.
var crashesNatively = map[string]bool{"egl_khr_fence_sync -auto -fbo": true}

const piglitLimit = 3 * time.Hour

// piglit runs a list and returns what was said for each command. A command without a line has an empty text.
func piglit(t *testing.T, run piglitRun, jobs, seconds string, list []string) map[string]string {
	t.Helper()
	results := map[string]string{}
	for _, line := range strings.Split(run(t, jobs, seconds, list), "\n") {
		if command, said, ok := strings.Cut(line, "\t"); ok && slices.Contains(list, command) {
			results[command] = said
		}
	}
	for _, command := range list {
		if _, ok := results[command]; !ok {
			t.Errorf("no line for %s", command)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return results
}

// verdict is pass, fail, warn or skip as the program said, or "crash".
func verdict(said string) string {
	all := regexp.MustCompile(`"result": "(\w+)"`).FindAllStringSubmatch(said, -1)
	if len(all) == 0 {
		return "crash"
	}
	return all[len(all)-1][1]
}

// allOfPiglit lists every compiled test that piglit's own profile of OpenGL has, as its runner would start it.
func allOfPiglit(t *testing.T, tree string) []string {
	t.Helper()
	f, err := os.Open(tree + "/usr/lib/x86_64-linux-gnu/piglit/tests/opengl.xml.gz")
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	var profile struct {
		Tests []struct {
			Type    string `xml:"type,attr"`
			Options []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"option"`
		} `xml:"Test"`
	}
	must(t, xml.NewDecoder(z).Decode(&profile))
	var list []string
	for _, test := range profile.Tests {
		command, concurrent := "", false
		for _, o := range test.Options {
			switch o.Name {
			case "command": // a list as Python writes it
				for _, m := range regexp.MustCompile(`'([^']*)'`).FindAllStringSubmatch(o.Value, -1) {
					command += m[1] + " "
				}
			case "run_concurrent":
				concurrent = o.Value == "True"
			}
		}
		command += "-auto"
		if concurrent {
			command += " -fbo"
		}
		if test.Type == "gl" && regexp.MustCompile(`^[\w./=:+ -]+$`).MatchString(command) && !slices.Contains(list, command) {
			list = append(list, command)
		}
	}
	return list
}

// What Debian's own programs say of everything they find is the same too, to the letter.
func TestInfoAsNatively(t *testing.T) {
	full, display := trees.Tree(t, "fullpiglit12"), xvfb.Start(t)
	l := launch{runtime: trees.Tree(t, "piglit12"), host: full, display: display}
	for _, program := range []string{"vulkaninfo", "glxinfo", "es2_info"} {
		want, err := trees.Enter(t.Context(), full, "", display.Env(), program).Output()
		must(t, err)
		l.argv = []string{program}
		if got := memory.ReplaceAllString(l.ok(t).stdout, ""); got != memory.ReplaceAllString(string(want), "") || strings.Count(got, "\n") < 40 {
			t.Errorf("%s:\n%s", program, difference(t, string(want), got))
		}
	}
}

// memory is what a GL or Vulkan driver says is free at the moment.
var memory = regexp.MustCompile(`(?mi)^.*(budget|usage) +=.*$|^.*available.*memory.*$`)
