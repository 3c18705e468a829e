//go:build integration

package integration

import (
	"compress/gzip"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/test/screen"
	"github.com/capsule-run/capsule-run/test/trees"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

// native runs a probe on the host itself, without a capsule: what the same driver says there.
func native(t *testing.T, l launch, probe ...string) string {
	t.Helper()
	probe[0] = "/mnt/bin/" + probe[0]
	// Mesa keeps shaders in the home of /etc/passwd, which is read-only here, and says so where nobody has made its directory (the
	// second name is that of Mesa before 22).
	env := append(l.display.Env(), "MESA_SHADER_CACHE_DISABLE=true", "MESA_GLSL_CACHE_DISABLE=true")
	cmd := trees.Enter(t.Context(), l.host, trees.Probes(t), env, probe...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s natively: %v\n%s", probe[0], err, tail(out.String()+errs.String()))
	}
	return out.String() + errs.String()
}

// Each kind of context that there is: GLES 1, 2 and 3, desktop GL with the core and the compatibility profile, by EGL on
// X11, EGL on no window system, and GLX; what cannot be made fails as it does on the host.
func TestContexts(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		l.display, l.flags = display, bind
		for where, least := range map[string]int{"surfaceless": 7, "x11": 7, "glx": 4} {
			l.argv = []string{dir + "/bin/contexts", where}
			out := l.ok(t).both()
			if want := native(t, l, "contexts", where); out != want {
				t.Errorf("%s natively:\n%s\nin the capsule:\n%s", where, want, out)
			}
			if made := strings.Count(out, "; 64,128,255; error 0"); made < least {
				t.Errorf("%s: only %d contexts:\n%s", where, made, out)
			}
		}
	})
}

// Without a GPU libgbm has devices that are software and descriptors that it refuses.
func TestGBM(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		l.display, l.flags, l.argv = display, bind, []string{dir + "/bin/gbm"}
		out := l.ok(t).both()
		if want := native(t, l, "gbm"); out != want || !strings.Contains(out, "closed: none, ") {
			t.Errorf("natively:\n%s\nin the capsule:\n%s", want, out)
		}
	})
}

// An xcb program that shares its connection with Xlib, which GLX needs.
func TestXCB(t *testing.T) {
	dir, bind := probes(t)
	display := xvfb.Start(t)
	eachPair(t, func(t *testing.T, l launch) {
		l.display, l.flags, l.argv = display, bind, []string{dir + "/bin/xcb_gl"}
		if out := l.ok(t).stdout; !strings.Contains(out, "renderer=llvmpipe") {
			t.Errorf("not the host's llvmpipe:\n%s", out)
		}
	})
}

// What each release has of small GLES and GL programs: the names of those that draw until they are ended, and one that
// ends by itself.
func TestDemos(t *testing.T) {
	programs := map[string][]string{
		"runtime11": {"es2gears_x11", "es2tri"},
		"runtime12": {"es2gears_x11", "es2tri"},
		"runtime13": {"es2gears_x11", "es2tri", "eglgears_x11", "egltri_x11", "xeglgears", "glxheads"},
	}
	for _, r := range runtimes {
		l := launch{runtime: trees.Tree(t, r), host: trees.Tree(t, "host13")}
		for _, program := range programs[r] {
			t.Run(r+"/"+program, func(t *testing.T) {
				c := &compositor{display: xvfb.Start(t)}
				l.argv, l.env = []string{program}, c.display.Env()
				c.shows(t, l, drawn, nil)
			})
		}
		t.Run(r+"/es2_info", func(t *testing.T) {
			l.display, l.argv = xvfb.Start(t), []string{"es2_info"}
			if out := l.ok(t).stdout; !strings.Contains(out, "OpenGL ES 3.2 Mesa "+mesaVersion(t, l.host)) {
				t.Errorf("es2_info:\n%s", tail(out))
			}
		})
	}
}

// drawn: something other than the empty screen.
func drawn(img image.Image) error {
	if f := screen.Stats(img); f.Colours < 3 || f.BusyTiles < 0.05 {
		return fmt.Errorf("nothing is drawn: %+v", f)
	}
	return nil
}

// A game that has its own libX11 and libxcb beside it, of another release than the runtime's and the host's, found by
// LD_LIBRARY_PATH or by DT_RPATH: there is one of each in the process, the game's, and the driver uses it.
func TestBundledX11(t *testing.T) {
	display := xvfb.Start(t)
	for _, c := range []struct {
		name, runtime, from string
		libraries           []string
	}{
		{"older", "runtime13", "runtime12", []string{"libX11.so.6", "libX11-xcb.so.1", "libxcb.so.1"}},
		{"libX11 alone", "runtime13", "runtime12", []string{"libX11.so.6"}},
		{"libxcb alone", "runtime13", "runtime12", []string{"libxcb.so.1"}},
		{"oldest", "runtime12", "runtime11", []string{"libX11.so.6", "libX11-xcb.so.1", "libxcb.so.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			game := t.TempDir()
			must(t, os.Chmod(game, 0o755))
			must(t, os.Mkdir(game+"/lib", 0o755))
			for _, lib := range c.libraries {
				copyFile(t, filepath.Join(trees.Tree(t, c.from), "usr/lib/x86_64-linux-gnu", lib), game+"/lib/"+lib)
			}
			copyFile(t, trees.Probes(t)+"/bin/maps_origin", game+"/maps_origin")
			copyFile(t, trees.Probes(t)+"/bin/maps", game+"/maps")
			l := launch{runtime: trees.Tree(t, c.runtime), host: trees.Tree(t, "host13"), display: display,
				flags: []string{"--bind", game + ":/game:ro"}}
			for _, how := range []struct {
				argv, env []string
			}{
				{[]string{"/game/maps_origin"}, nil},
				{[]string{"/game/maps"}, []string{"LD_LIBRARY_PATH=/game/lib"}},
			} {
				l.argv, l.env = how.argv, append(how.env, "CAPSULE_DEBUG=1")
				r := l.ok(t)
				checkOneLibc(t, r.stdout)
				for _, lib := range c.libraries {
					if want := lib + " is not the planned file: /game/"; !strings.Contains(r.stderr, want) {
						t.Errorf("%s: nothing says %q", how.argv, want)
					}
					if loaded := executable(r.stdout, lib); len(loaded) != 1 || loaded[0] != "/game/lib/"+lib {
						t.Errorf("%s: %s is loaded from %q", how.argv, lib, loaded)
					}
				}
				if !strings.Contains(r.stderr, "symbols go by name") {
					t.Errorf("%s: no symbols go by name:\n%s", how.argv, tail(r.stderr))
				}
			}
			l.env, l.argv = []string{"LD_LIBRARY_PATH=/game/lib"}, []string{"glxinfo", "-B"}
			if out := l.ok(t).stdout; !strings.Contains(out, "Mesa "+mesaVersion(t, l.host)) {
				t.Errorf("not the host's Mesa:\n%s", tail(out))
			}
		})
	}
}

// executable lists the files of a SONAME that have executable pages in maps; a proxy of that name has none of its own.
func executable(maps, soname string) []string {
	var out []string
	for _, line := range strings.Split(maps, "\n") {
		f := strings.Fields(line)
		base := ""
		if len(f) == 6 && strings.Contains(f[1], "x") {
			base = filepath.Base(f[5])
		}
		if strings.HasPrefix(base, soname) && !strings.HasPrefix(f[5], "/usr/lib/capsule/x86_64-linux-gnu/proxy/") {
			out = append(out, f[5])
		}
	}
	return out
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, text, 0o755))
}

// --library for a library that has nothing to do with graphics: apt unpacks a file with the host's libz.
func TestLibraryOfTheHost(t *testing.T) {
	file := filepath.Join(t.TempDir(), "text.gz")
	text := strings.Repeat("what the host's libz unpacks\n", 10000)
	f, err := os.Create(file)
	must(t, err)
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(text))
	must(t, err)
	must(t, z.Close())
	must(t, f.Close())
	eachPair(t, func(t *testing.T, l launch) {
		l.flags = []string{"--library", "libz.so.1", "--bind", file + ":/text.gz:ro"}
		l.argv, l.env = []string{"/usr/lib/apt/apt-helper", "cat-file", "/text.gz"}, []string{"CAPSULE_DEBUG=1"}
		r := l.ok(t)
		if r.stdout != text {
			t.Errorf("%d bytes instead of %d", len(r.stdout), len(text))
		}
		if !strings.Contains(r.stderr, "/usr/lib/capsule/x86_64-linux-gnu/host/usr/lib/x86_64-linux-gnu/libz.so.1") &&
			!strings.Contains(r.stderr, "/usr/lib/capsule/x86_64-linux-gnu/host/lib/x86_64-linux-gnu/libz.so.1") {
			t.Errorf("the host's libz was not loaded:\n%s", tail(r.stderr))
		}
	})
}
