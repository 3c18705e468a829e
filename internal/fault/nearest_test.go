package fault

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"runtime", "host", "boundary", "boundaries", "libraries", "share", "shell", "plan", "unshare-net", "unshare-pid"}
	for _, c := range []struct{ word, want string }{
		{"runtme", "runtime"}, {"runtimee", "runtime"}, {"paln", "plan"}, {"boundarys", "boundary"}, {"library", "libraries"},
		{"unshare_net", "unshare-net"}, {"unsharepid", "unshare-pid"}, {"hots", "host"}, {"ls", ""}, {"", ""}, {"verbose", ""},
		{"game", ""}, {"plan", "plan"}, {"neverball", ""}, {"vim", ""},
	} {
		if got := Nearest(c.word, words); got != c.want {
			t.Errorf("%q: %q, want %q", c.word, got, c.want)
		}
	}
	if got := DidYouMean("paln", words, "capsule-run ", "look"); got != "did you mean capsule-run plan? look" {
		t.Error(got)
	}
	if got := DidYouMean("x", words, "", "look"); got != "look" {
		t.Error(got)
	}
}
