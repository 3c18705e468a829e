package untar

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What one entry can make us do is not done for each of a million: a directory is looked through once
// for all marks of a layer.
func TestCost(t *testing.T) {
	const many = 3000
	names := func(format string) (out []string) {
		for i := range many {
			out = append(out, fmt.Sprintf(format, i))
		}
		return out
	}
	for what, c := range map[string]struct{ below, files, marks []string }{
		"opaque":       {[]string{"d/old="}, names("d/%d="), []string{"d/.wh..wh..opq"}},
		"whiteouts":    {[]string{"d/old="}, names("d/%d="), []string{".wh.d"}},
		"opaque above": {[]string{"d/e/old="}, names("d/e/%d="), []string{".wh..wh..opq"}},
		"both":         {[]string{"d/old="}, names("d/%d="), []string{".wh..wh..opq", ".wh.d"}},
	} {
		dir := t.TempDir()
		tree, err := Open(dir)
		must(t, err)
		_, err = unpackTo(tree, c.below, c.files)
		must(t, err)
		before := cpu(t)
		for range many {
			for _, m := range c.marks {
				h, _ := header(m + "=")
				must(t, tree.entry(h, nil))
			}
		}
		if spent, most := cpu(t)-before, time.Second; spent > most {
			t.Errorf("%s: got %v of the processor, want %v at most", what, spent, most)
		}
		must(t, tree.Close())
		if got := shown(t, dir); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "old") }) || len(got) < many {
			t.Errorf("%s: got %d files, want %d, none of them old", what, len(got), many)
		}
	}
}

// cpu is the time of the processor that this process has had.
func cpu(t *testing.T) time.Duration {
	var u unix.Rusage
	must(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Of a header, which may have a megabyte of records, nothing is kept but what a directory needs.
func TestMemory(t *testing.T) {
	tree, err := Open(t.TempDir())
	must(t, err)
	defer tree.Close()
	tree.layer = 2
	before := heap()
	for i := range 200 {
		h, _ := header(fmt.Sprintf("d/%d/", i))
		h.Name = strings.Repeat("./", 100<<10) + h.Name
		h.PAXRecords = map[string]string{"comment": strings.Repeat("x", 1<<20)}
		must(t, tree.next(h, nil))
	}
	if got, most := heap()-before, uint64(4<<20); got > most && got < 1<<62 {
		t.Errorf("got %d bytes kept of 200 directories, want %d at most", got, most)
	}
	runtime.KeepAlive(tree)
}

// An archive of a few lines makes chains of directories, of which as little is kept as can be.
func TestMemoryOfDirectories(t *testing.T) {
	tree, err := Open(t.TempDir())
	must(t, err)
	defer tree.Close()
	before := heap()
	for tree.layer < 2 {
		tree.layer++
		for i := range 40 {
			h, _ := header(fmt.Sprintf("%d%s/", i, strings.Repeat("/aaaaaaaaaaaaaa", 250)))
			must(t, tree.next(h, nil))
		}
	}
	if got, most := heap()-before, uint64(450*tree.files); got > most && got < 1<<62 {
		t.Errorf("got %d bytes kept of %d directories, want %d at most", got, tree.files, most)
	}
	runtime.KeepAlive(tree)
}

// heap is what is in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
