package doctor

import (
	"bytes"
	"cmp"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/inspection"
)

func TestPrivateText(t *testing.T) {
	alice := newPrivacy([]string{"/home/alice", "/data/real/alice", "/"}, []string{"alice"}, []string{"wonder.land.example", "wonder"}, "/tmp/capsule-doctor-1")
	for in, want := range map[string]string{
		"":                                         "",
		"/home/alice":                              "~",
		"/home/alice/rt: not a directory":          "~/rt: not a directory",
		"open /home/alice: no":                     "open ~: no",
		"/home/alicebob/x":                         "~/x", // another's
		"/home/bob/x,/home/carol":                  "~/x,~",
		"/var/home/bob/x":                          "~/x",
		"/srv/tree/home/bob/x":                     "/srv/tree/home/USER/x",
		"/data/real/alice/.cache/x":                "~/.cache/x",
		"/srv/alice/x":                             "/srv/USER/x",
		"/srv/alice-old/x":                         "/srv/USER-old/x",
		"/srv/malice/x":                            "/srv/malice/x",
		"user alice may not":                       "user USER may not",
		"alice@wonder:/x":                          "USER@HOST:/x",
		"wonder.land.example":                      "HOST",
		"wonderful":                                "wonderful",
		"/root/x /root":                            "~/x ~",
		"/usr/lib/capsule/x/root/usr":              "/usr/lib/capsule/x/root/usr",
		"/run/user/1000/bus":                       "/run/user/UID/bus",
		"using /tmp/capsule-run-1000 for a while":  "using /tmp/capsule-run-UID for a while",
		"/run/media/alice/disk":                    "/run/media/USER/disk",
		"/media/bob/disk":                          "/media/USER/disk",
		"/tmp/capsule-doctor-1/x86_64/a":           "/tmp/capsule-doctor/x86_64/a",
		"HOME=/home/alice:/home/alice/bin":         "HOME=~:~/bin",
		"GPU-6f1f1c3e-0000-4a4a-8b8b-0123456789ab": "UUID",
		"/usr/lib/x86_64-linux-gnu/dri":            "/usr/lib/x86_64-linux-gnu/dri",
	} {
		if got := alice.text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	// Names that texts are full of.
	for _, user := range []string{"lib", "so", "x", "root", "mesa", "usr", "gl"} {
		p := newPrivacy([]string{"/home/" + user}, []string{user}, []string{"debian"}, "")
		for in, want := range map[string]string{
			"/usr/lib/x86_64-linux-gnu/libGL.so.1.7.0":    "",
			"libGL.so: x and so on, the root of mesa":     "",
			"Debian debian /usr/share/vulkan/mesa/x.json": map[bool]string{true: "Debian debian /usr/share/vulkan/mesa/USER.json"}[false],
			"/home/" + user + "/x":                        "~/x",
			"/home/" + user:                               "~",
		} {
			if got := p.text(in); got != cmp.Or(want, in) {
				t.Errorf("user %s: %q: %q", user, in, got)
			}
		}
	}
}

// sample has a string in every kind of place.
func sample(s string) *report.Report {
	return &report.Report{
		Machine: report.Machine{Container: s, Sessions: []string{s}}, Runtime: report.Runtime{Dir: s},
		Scenes: []report.Scene{{Native: &report.Drawing{Error: s, Output: []string{s}, PNG: []byte(s), Libraries: []string{s}}}},
		Stack: &inspection.Report{Devices: &hostgpu.Devices{GPUs: []*hostgpu.GPU{{UUID: s, Name: s}}},
			Architectures: []*inspection.Arch{{Libraries: []*inspection.Library{{Path: s}}}}},
		Plan: &capsule.Plan{Environment: map[string]string{s + "_": s, "x": s}, Overrides: map[string]string{s: s},
			Architectures: []*capsule.ArchPlan{{Warnings: []string{s}, PathMap: []capsule.PathMap{{From: s, To: s}}}}},
	}
}

// Wherever private names stand, and whatever is around them, they are gone, and what is said twice is no worse.
func FuzzPrivacy(f *testing.F) {
	f.Add("/home/alice", "alice", "H/x:Hx U@x")
	f.Add("/data/a b", "robert", "xH/c U-U_U.U")
	f.Add("/u/~", "smith", "~/~ /home/x/U/home/H")
	f.Fuzz(func(t *testing.T, home, user, text string) {
		home = filepath.Clean(home)
		if !strings.HasPrefix(home, "/") || len(home) < 3 || common[home[1:]] || !utf8.ValidString(home+text) ||
			!regexp.MustCompile(`^[a-z][a-z0-9_]{3,31}$`).MatchString(user) || common[user] {
			t.Skip()
		}
		text = strings.NewReplacer("H", home, "U", user).Replace(text)
		p := newPrivacy([]string{home}, []string{user}, nil, "")
		r := sample(text)
		p.report(r)
		r.Scenes[0].Native.PNG = nil
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		for out := range map[string]bool{p.text(text): true, r.Runtime.Dir: true, r.Plan.Environment["x"]: true} {
			replace(out, user, "", func(before, after rune) bool {
				if !alphanumeric(before) && !alphanumeric(after) {
					t.Errorf("%q is in %q, of %q", user, out, text)
				}
				return false
			})
			replace(out, home, "", func(before, after rune) bool {
				if !inName(before) && before != '/' && before != '~' && !inName(after) {
					t.Errorf("%q is in %q, of %q", home, out, text)
				}
				return false
			})
		}
	})
}

func TestPrivateReport(t *testing.T) {
	p := newPrivacy([]string{"/home/alice"}, []string{"alice"}, nil, "")
	r := sample("/home/alice/alice")
	p.report(r)
	if string(r.Scenes[0].Native.PNG) != "/home/alice/alice" {
		t.Error("a picture was changed")
	}
	r.Scenes[0].Native.PNG = nil
	b, err := json.Marshal(r)
	if err != nil || bytes.Contains(b, []byte("alice")) || !bytes.Contains(b, []byte("~/USER")) {
		t.Errorf("%v: %s", err, b)
	}
	if r.Plan.Environment["~/USER_"] != "~/USER" || r.Plan.Overrides["~/USER"] == "" {
		t.Errorf("%v %v", r.Plan.Environment, r.Plan.Overrides)
	}
}
