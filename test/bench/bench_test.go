package main

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/mount"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{5, 1, 3}, 3}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

// The ranks are those of tables for the sign test: of 40 values the 14th and the 27th.
func TestInterval(t *testing.T) {
	var values []float64
	for i := range 40 {
		values = append(values, float64((i*7)%40+1)) // 1 to 40 in some order
	}
	if low, high := interval(values); low != 14 || high != 27 {
		t.Errorf("interval of 1 to 40 is [%v, %v], want [14, 27]", low, high)
	}
	if low, high := interval([]float64{2, 1, 3}); low != 1 || high != 3 {
		t.Errorf("interval of three values is [%v, %v], want their range", low, high)
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		t                 target
		median, low, high float64
		want              string
	}{
		{moreAtMost(5, "ms"), 5, 4, 9, "met"},
		{moreAtMost(5, "ms"), 6, 4, 9, "unclear"},
		{moreAtMost(5, "ms"), 6, 5.5, 9, "missed"},
		{timesAtLeast(0.99), 0.98, 0.97, 1.01, "unclear"},
		{timesAtLeast(0.99), 0.98, 0.97, 0.985, "missed"},
		{noCost, 0.2, -0.1, 0.3, "met"},
		{noCost, 0.2, 0.1, 0.3, "missed"},
		{target{}, 1, 1, 1, ""},
	} {
		if got := c.t.verdict(c.median, c.low, c.high); got != c.want {
			t.Errorf("target %q, %v in [%v, %v]: %s, want %s", c.t.text, c.median, c.low, c.high, got, c.want)
		}
	}
}

// Drift that both sides have in common does not show.
func TestComparedByRound(t *testing.T) {
	f := figure{Compare: ratio, Reference: []float64{1, 2, 4}, Capsule: []float64{2, 4, 8}}
	if got := f.compared(); !slices.Equal(got, []float64{2, 2, 2}) {
		t.Errorf("ratios are %v", got)
	}
	f.Compare = difference
	if got := f.compared(); !slices.Equal(got, []float64{1, 2, 4}) {
		t.Errorf("differences are %v", got)
	}
}

func TestAlternate(t *testing.T) {
	var order strings.Builder
	run := func(name string) sampler {
		return func(context.Context) (sample, error) {
			order.WriteString(name)
			return sample{"n": float64(order.Len())}, nil
		}
	}
	got, err := alternate(t.Context(), 2, run("A"), run("B"))
	if err != nil {
		t.Fatal(err)
	}
	// The first of each is the warm-up.
	if order.String() != "ABABAB" || !slices.Equal(column(got[0], "n"), []float64{3, 5}) || !slices.Equal(column(got[1], "n"), []float64{4, 6}) {
		t.Errorf("order %s, samples %v", order.String(), got)
	}
	broken := errors.New("broken")
	if _, err := alternate(t.Context(), 2, func(context.Context) (sample, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
}

const smaps = `7f0000000000-7f0000001000 r--p 00000000 fe:00 1234                       /usr/lib/capsule/x86_64-linux-gnu/proxy/libc.so.6
Size:                  4 kB
Private_Clean:         4 kB
Private_Dirty:         8 kB
VmFlags: rd mr
7f0000002000-7f0000003000 rw-p 00000000 00:00 0 
Private_Clean:         0 kB
Private_Dirty:        16 kB
7f0000004000-7f0000005000 r-xp 00000000 fe:00 1235                       /usr/lib/capsule/x86_64-linux-gnu/host/usr/lib/libGL.so.1
Private_Clean:        32 kB
Private_Dirty:         0 kB
7f0000006000-7f0000007000 r-xp 00000000 fe:00 1236                       /usr/lib/capsule/x86_64-linux-gnu/lib/libGL.so.1
Private_Clean:        64 kB
Private_Dirty:         0 kB
`

func TestPrivateByName(t *testing.T) {
	got, err := privateByName(smaps)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range (sample{"all": 124, "dirty all": 24, "clean all": 100, "clean: proxy libc.so.6": 4, "dirty: proxy libc.so.6": 8,
		"dirty: [anonymous]": 16, "clean: libGL.so.1": 32, "clean: capsule libGL.so.1": 64}) {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	for _, bad := range []string{"", "Private_Clean: 4 kB\n", strings.Replace(smaps, "16 kB", "many kB", 1)} {
		if _, err := privateByName(bad); err == nil {
			t.Errorf("no error for %.30q", bad)
		}
	}
}

func TestBwrapArguments(t *testing.T) {
	got, err := bwrap([]mount.Op{
		{Kind: mount.Dir, Target: "/run", Mode: 0o755},
		{Kind: mount.Bind, Source: "/r/usr", Target: "/usr", ReadOnly: true},
		{Kind: mount.Bind, Source: "/dev", Target: "/dev"},
		{Kind: mount.Bind, Source: "/no/such/file", Target: "/x", Optional: true},
		{Kind: mount.Symlink, Text: "usr/bin", Target: "/bin"},
	}, "/home")
	want := "bwrap --perms 755 --dir /run --ro-bind /r/usr /usr --dev-bind /dev /dev --symlink usr/bin /bin --chdir /home --"
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("got %v, %v\nwant %s", got, err, want)
	}
	if _, err := bwrap([]mount.Op{{Kind: "other", Target: "/x"}}, "/"); err == nil {
		t.Error("an operation was left out without a word")
	}
}
