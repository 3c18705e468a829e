package report

import "testing"

func TestFailure(t *testing.T) {
	for want, d := range map[string]*Drawing{
		"it was not tried":                     nil,
		"":                                     {Device: "llvmpipe"},
		"no connection":                        {Error: "no connection"},
		"XOpenDisplay: no connection":          {Error: "no connection", Step: "XOpenDisplay"},
		"vaInitialize: unknown":                {Error: "vaInitialize: unknown", Step: "vaInitialize"},
		"ended by SIGABRT":                     {Error: "ended by SIGABRT", Step: "exit"},
		"ended with status 3":                  {Error: "ended with status 3", Step: "start"},
		"libGL.so.1: no such file":             {Error: "libGL.so.1: no such file", Step: "libGL.so.1", Missing: true},
		"the library of this API is not there": {Missing: true},
	} {
		if got := d.Failure(); got != want {
			t.Errorf("%+v: %q, want %q", d, got, want)
		}
	}
}

func TestNoSession(t *testing.T) {
	for want, c := range map[string]struct {
		sessions []string
		scene    Scene
	}{
		"X11":     {nil, Scene{Verdict: BothFail, Platform: "x11"}},
		"Wayland": {[]string{"x11"}, Scene{Verdict: BothFail, Platform: "wayland"}},
	} {
		r := &Report{Machine: Machine{Sessions: c.sessions}}
		if got := r.NoSession(&c.scene); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		// One that works, or has its session, or needs none, is told as others are.
		for _, other := range []Scene{{Verdict: Same, Platform: c.scene.Platform}, {Verdict: BothFail, Platform: "memory"}, {Verdict: Absent, Platform: c.scene.Platform}} {
			if got := r.NoSession(&other); got != "" {
				t.Errorf("%+v: %q", other, got)
			}
		}
		r.Machine.Sessions = []string{"x11", "wayland"}
		if got := r.NoSession(&c.scene); got != "" {
			t.Errorf("in a session: %q", got)
		}
	}
}
