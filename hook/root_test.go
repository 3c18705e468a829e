package hook

import (
	"testing"

	"github.com/capsule-run/capsule-run/hook/confine"
)

func TestShowsWhatIsBelow(t *testing.T) {
	mounts := []confine.Mount{
		{ID: 1, Parent: 0, Dev: "8:1", Root: "/", Point: "/"},
		{ID: 2, Parent: 1, Dev: "8:2", Root: "/", Point: "/home"},
		{ID: 3, Parent: 1, Dev: "8:1", Root: "/run/a", Point: "/run/a"},        // a directory bound to itself
		{ID: 4, Parent: 1, Dev: "0:39", Root: "/", Point: "/merged"},           // an overlay of the engine's,
		{ID: 5, Parent: 4, Dev: "0:39", Root: "/", Point: "/merged"},           // and over it the runtime's
		{ID: 6, Parent: 1, Dev: "8:1", Root: "/run/b", Point: "/run/a"},        // another directory
		{ID: 7, Parent: 2, Dev: "8:2", Root: "/u/tree", Point: "/home/u/tree"}, // on another file system
		{ID: 8, Parent: 2, Dev: "8:2", Root: "/u", Point: "/home/u/tree"},
		{ID: 9, Parent: 99, Dev: "8:1", Root: "/x", Point: "/x"}, // nobody knows on what
		{ID: 10, Parent: 4, Dev: "0:39", Root: "/", Point: "/elsewhere"},
		{ID: 11, Parent: 5, Dev: "0:44", Root: "/", Point: "/merged/proc"},
	}
	want := map[uint64]string{3: "/run/a", 5: "/merged", 7: "/home/u/tree"}
	for id := range uint64(20) {
		if point, err := showsWhatIsBelow(id, mounts); point != want[id] || (err == nil) != (want[id] != "") {
			t.Errorf("%d: %q, %v", id, point, err)
		}
	}
}
