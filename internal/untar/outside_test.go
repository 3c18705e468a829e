package untar

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// arena is a directory for trees, with what must not change beside it.
type arena struct {
	top    string
	victim string // a directory, absolute
	before string
}

// newArena makes one, in memory where that can be: it is emptied tens of thousands of times.
func newArena(t testing.TB) *arena {
	t.Helper()
	shm := "/dev/shm"
	if unix.Access(shm, unix.W_OK) != nil {
		shm = ""
	}
	top, err := os.MkdirTemp(shm, "untar")
	must(t, err)
	t.Cleanup(func() { must(t, RemoveAll(top)) })
	a := &arena{top: top, victim: top + "/victim"}
	must(t, os.MkdirAll(a.victim+"/b", 0o750))
	must(t, os.WriteFile(a.victim+"/x", []byte("text"), 0o640))
	must(t, os.WriteFile(a.victim+"/b/x", []byte("text"), 0o640))
	must(t, os.Symlink("x", a.victim+"/link"))
	a.before = a.outside(t)
	return a
}

// outside tells all of what is outside of the tree: a change of whatever kind is one of st_ctim.
func (a *arena) outside(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	look := func(name string) {
		var st unix.Stat_t
		must(t, unix.Lstat(name, &st))
		fmt.Fprintln(&b, name, st.Ino, st.Mode, st.Nlink, st.Size, st.Mtim, st.Ctim)
	}
	var list func(dir string)
	list = func(dir string) {
		look(dir)
		entries, err := os.ReadDir(dir)
		must(t, err)
		for _, e := range entries {
			if e.IsDir() {
				list(dir + "/" + e.Name())
			} else {
				look(dir + "/" + e.Name())
			}
		}
	}
	list(a.victim)
	entries, err := os.ReadDir(a.top)
	must(t, err)
	for _, e := range entries {
		if e.Name() != "tree" {
			fmt.Fprintln(&b, e.Name())
		}
	}
	return b.String()
}

// tree opens an empty tree.
func (a *arena) tree(t testing.TB) *Tree {
	t.Helper()
	must(t, os.Mkdir(a.top+"/tree", 0o755))
	tree, err := Open(a.top + "/tree")
	must(t, err)
	return tree
}

// check removes the tree, and looks whether anything but that has changed.
func (a *arena) check(t testing.TB, what any, err error) {
	t.Helper()
	must(t, RemoveAll(a.top+"/tree"))
	if now := a.outside(t); now != a.before {
		t.Fatalf("%q (%v): got outside\n%s, want\n%s", what, err, now, a.before)
	}
}

// try unpacks layers into an empty tree, and returns how many entries of them are unpacked: fewer
// than all where one is refused.
func (a *arena) try(t testing.TB, layers ...[]string) int {
	t.Helper()
	tree := a.tree(t)
	n, err := unpackTo(tree, layers...)
	must(t, tree.Close())
	a.check(t, layers, err)
	return n
}

// Whatever becomes of links between any two entries, nothing outside changes: all sequences of
// three of these entries, and all of four of the first ones.
func TestAnySequence(t *testing.T) {
	a := newArena(t)
	up := strings.Repeat("../", strings.Count(a.top, "/")+8)
	base := []string{"p/x=p", "b/b/", "f=f", "out -> " + a.victim, "back -> ../victim"}
	words := []string{
		"b/b/x -> " + a.victim + "/x", "b/x -> /p", "d -> b/x/../b", "d/x~sparse", "d/x=regular",
		"b -> " + a.victim, "p => b", "b => out", "b/", "d/.wh.x", "b/b -> ..", "d/.wh...",
		"b -> ../victim", "b -> " + up + a.victim, "out/x => f", "d -> .", "d/d/", "d/b/x|", ".wh.b",
		"back/.wh..wh..opq", "b/../d/x => out/x", "x -> b/x", "d/x!",
	}
	tried := a.sequences(t, base, words, 3) + a.sequences(t, base, words[:12], 4)
	if least := 10000; tried < least {
		t.Errorf("got %d sequences, want %d at least", tried, least)
	}
}

// sequences tries all of a length, as a second layer, and says how many. Those that begin as a
// refused one are refused at the same entry: one of them is enough.
func (a *arena) sequences(t testing.TB, base, words []string, length int) (tried int) {
	sequence, at := make([]string, length), make([]int, length)
	for {
		for i, w := range at {
			sequence[i] = words[w]
		}
		done := a.try(t, base, sequence) - len(base)
		tried++
		i := min(done, length-1)
		clear(at[i+1:])
		for at[i]++; at[i] == len(words); at[i]++ {
			if at[i] = 0; i == 0 {
				return tried
			}
			i--
		}
	}
}
