package capsule_test

import (
	"debug/elf"
	"errors"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/capsule/dso"
	"github.com/capsule-run/capsule-run/capsule/manifest"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/dynelf"
	"github.com/capsule-run/capsule-run/internal/ldcache"
)

// sym reads "name@@VERSION", "name@VERSION" or "name", the way nm prints it.
func sym(text string) dynelf.Symbol {
	s := dynelf.Symbol{Name: text, Default: true, Type: elf.STT_FUNC, Bind: elf.STB_GLOBAL, Section: 12, Value: 0x100}
	if name, version, ok := strings.Cut(text, "@@"); ok {
		s.Name, s.Version = name, version
	} else if name, version, ok := strings.Cut(text, "@"); ok {
		s.Name, s.Version, s.Default = name, version, false
	}
	return s
}

func syms(texts ...string) []dynelf.Symbol {
	var out []dynelf.Symbol
	for _, t := range texts {
		out = append(out, sym(t))
	}
	return out
}

func data(s dynelf.Symbol) dynelf.Symbol {
	s.Type = elf.STT_OBJECT
	return s
}

// imports: "name@VERSION/library".
func imports(texts ...string) []dynelf.Symbol {
	var out []dynelf.Symbol
	for _, t := range texts {
		name, library, _ := strings.Cut(t, "/")
		s := sym(name)
		s.Library = library
		out = append(out, s)
	}
	return out
}

func defs(names ...string) []dynelf.VersionDef {
	out := []dynelf.VersionDef{{Name: "base", Base: true}}
	for _, n := range names {
		out = append(out, dynelf.VersionDef{Name: n})
	}
	return out
}

// input: a host of glibc 2.38 with a driver, a runtime of glibc 2.31.
func input() *capsule.ArchInput {
	host := func(name string, deps []int, exports, wants []dynelf.Symbol, versions ...string) *capsule.HostLibrary {
		return &capsule.HostLibrary{Name: name, Path: "/usr/lib/" + name + ".0", Source: "/host/usr/lib/" + name + ".0",
			Aliases: []string{"/usr/lib/" + name}, Reason: "test", File: &dynelf.File{VersionDefs: defs(versions...)},
			Exports: exports, Imports: wants, Deps: deps}
	}
	front := host("libGL.so.1", []int{0, 1, 3}, append(syms("glClear", "_init"), data(sym("gl_table"))), nil)
	front.Uses = []capsule.Use{{API: "GL", FrontEnd: true}}
	in := &capsule.ArchInput{
		Arch: arch.X8664,
		Host: capsule.Host{Libraries: []*capsule.HostLibrary{
			host("libc.so.6", nil, syms("puts@@GLIBC_2.2.5", "pthread_create@@GLIBC_2.34", "pthread_create@GLIBC_2.2.5",
				"stat@@GLIBC_2.33", "strange@@GLIBC_2.38", "dlopen@@GLIBC_2.34", "secret@@GLIBC_PRIVATE"), nil,
				"GLIBC_2.2.5", "GLIBC_2.33", "GLIBC_2.34", "GLIBC_2.38", "GLIBC_PRIVATE"),
			host("libX11.so.6", []int{0}, syms("XOpenDisplay", "XNewThing"), nil),
			host("libwayland-client.so.0", []int{0}, syms("wl_connect"), nil),
			host("libdriver.so.2", []int{0, 1, 2}, nil, imports("puts@GLIBC_2.2.5/libc.so.6",
				"pthread_create@GLIBC_2.34/libc.so.6", "stat@GLIBC_2.33/libc.so.6", "strange@GLIBC_2.38/libc.so.6",
				"XOpenDisplay", "XNewThing")),
			front,
		}},
		Runtime: capsule.Runtime{LibcVersion: "2.31",
			Libraries: map[string]*capsule.RuntimeLibrary{
				"libc.so.6": {Name: "libc.so.6", Path: "/lib/libc-2.31.so", File: &dynelf.File{BuildID: []byte{1}, VersionDefs: defs("GLIBC_2.2.5", "GLIBC_PRIVATE")},
					Exports: append(syms("puts@@GLIBC_2.2.5", "malloc@@GLIBC_2.2.5", "__libc_early_init@@GLIBC_PRIVATE"), data(sym("environ@@GLIBC_2.2.5")))},
				"libpthread.so.0": {Name: "libpthread.so.0", Path: "/lib/libpthread-2.31.so", File: &dynelf.File{VersionDefs: defs("GLIBC_2.2.5")},
					Exports: syms("pthread_create@@GLIBC_2.2.5")},
				"libdl.so.2": {Name: "libdl.so.2", Path: "/lib/libdl-2.31.so", File: &dynelf.File{VersionDefs: defs("GLIBC_2.2.5")},
					Exports: syms("dlopen@@GLIBC_2.2.5")},
				"libX11.so.6": {Name: "libX11.so.6", Path: "/usr/lib/libX11.so.6.4", File: &dynelf.File{}, Exports: syms("XOpenDisplay")},
			}},
		Root: syms("override$dlopen", "polyfill$stat", "capsule_root"),
	}
	return in
}

// whole puts an architecture into the input of a plan.
func whole(in *capsule.ArchInput) *capsule.Input {
	return &capsule.Input{Version: "test", HostDir: "/host", RuntimeDir: "/rt", Architectures: []*capsule.ArchInput{in},
		Cache: []ldcache.Entry{{Name: "libGL.so.1", Path: "/usr/lib/libGL.so.1", Flags: 0x303},
			{Name: "libGL.so.1", Path: "/usr/lib32/libGL.so.1", Flags: 3}, {Name: "libz.so.1", Path: "/usr/lib/libz.so.1", Flags: 0x303}},
		Rules: capsule.Rules{Libc: []string{"libc.so.6", "libpthread.so.0", "libdl.so.2"},
			Interop: []string{"libX11.so.6", "libwayland-client.so.0"}}}
}

func mustMakeWhole(t *testing.T, in *capsule.ArchInput) *capsule.Plan {
	t.Helper()
	p, err := capsule.Make(whole(in))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustMake(t *testing.T, in *capsule.ArchInput) *capsule.ArchPlan {
	t.Helper()
	return mustMakeWhole(t, in).Architectures[0]
}

func proxy(t *testing.T, p *capsule.ArchPlan, soname string) map[string]dso.ProxySymbol {
	t.Helper()
	for _, x := range p.Artefacts().Proxies {
		if x.Soname == soname {
			out := map[string]dso.ProxySymbol{}
			for _, s := range x.Symbols {
				out[s.Name+"@"+s.Version] = s
			}
			return out
		}
	}
	t.Fatalf("no proxy for %s", soname)
	return nil
}

// A runtime that has of glibc only what its own programs need has no libdl.so.2 since 2.34: its libc.so.6 is it.
func TestMergedLibraries(t *testing.T) {
	find := func(p *capsule.Plan, name string) string {
		for _, e := range p.Cache {
			if e.Name == name {
				return e.Path
			}
		}
		return ""
	}
	in := input()
	if got := find(mustMakeWhole(t, in), "libdl.so.2"); got != "" {
		t.Errorf("the runtime has one, and the cache says %q", got)
	}
	delete(in.Runtime.Libraries, "libdl.so.2")
	const warning = "the runtime has no libdl.so.2, without which nothing of the host can be loaded"
	if p := mustMakeWhole(t, in); find(p, "libdl.so.2") != "" || !slices.Contains(p.Architectures[0].Warnings, warning) {
		t.Errorf("%q, %q", find(p, "libdl.so.2"), p.Architectures[0].Warnings)
	}
	libc := in.Runtime.Libraries["libc.so.6"]
	libc.Exports = append(libc.Exports, syms("dlmopen@@GLIBC_2.34", "dlmopen@GLIBC_2.3.4")...)
	if p := mustMakeWhole(t, in); find(p, "libdl.so.2") != libc.Path || slices.Contains(p.Architectures[0].Warnings, warning) {
		t.Errorf("%q, %q", find(p, "libdl.so.2"), p.Architectures[0].Warnings)
	}
}

func TestSymbolAnswers(t *testing.T) {
	p := mustMake(t, input())
	libc := proxy(t, p, "libc.so.6")
	sources := p.Artefacts().Manifest.Objects[indexOf(p, "libc.so.6", 2)].Sources
	sourceName := func(s dso.ProxySymbol) string { return p.Artefacts().Manifest.Objects[sources[s.Source]].Soname }

	if s := libc["puts@GLIBC_2.2.5"]; s.Origin != dso.FromBase || sourceName(s) != "libc.so.6" || s.Global {
		t.Errorf("puts: %+v", s)
	}
	for _, v := range []string{"GLIBC_2.34", "GLIBC_2.2.5"} {
		if s := libc["pthread_create@"+v]; s.Origin != dso.FromBase || sourceName(s) != "libpthread.so.0" {
			t.Errorf("pthread_create@%s: %+v", v, s)
		}
	}
	if s := libc["stat@GLIBC_2.33"]; s.Origin != dso.FromRoot {
		t.Errorf("stat: %+v", s)
	}
	if s := libc["strange@GLIBC_2.38"]; s.Origin != dso.Nowhere {
		t.Errorf("strange: %+v", s)
	}
	if s := libc["dlopen@GLIBC_2.34"]; s.Origin != dso.FromRoot {
		t.Errorf("dlopen: %+v", s)
	}
	if s := proxy(t, p, "libdl.so.2")["dlopen@GLIBC_2.2.5"]; s.Origin != dso.FromRoot {
		t.Errorf("dlopen in libdl: %+v", s)
	}
	if s := libc["__libc_early_init@GLIBC_PRIVATE"]; s.Origin != dso.DoNothing {
		t.Errorf("__libc_early_init: %+v", s)
	}
	if _, ok := libc["secret@GLIBC_PRIVATE"]; ok {
		t.Error("a private symbol of the host's libc is handed out")
	}
	if !libc["malloc@GLIBC_2.2.5"].Global || !libc["environ@GLIBC_2.2.5"].Global {
		t.Error("malloc and environ must come from the global scope")
	}
	if s := proxy(t, p, "libX11.so.6")["XNewThing@"]; s.Origin != dso.Nowhere {
		t.Errorf("XNewThing: %+v", s)
	}
}

func indexOf(p *capsule.ArchPlan, soname string, kind uint32) int {
	return slices.IndexFunc(p.Artefacts().Manifest.Objects, func(o manifest.Object) bool {
		return o.Soname == soname && uint32(o.Kind) == kind
	})
}

func TestReportNamesDemandsAndWhoHasThem(t *testing.T) {
	p := mustMake(t, input())
	names := func(list []capsule.Bridged) (out []string) {
		for _, b := range list {
			out = append(out, b.Library+" "+b.Symbol+" "+b.Version+" "+strings.Join(b.NeededBy, ","))
		}
		return out
	}
	if got, want := names(p.Symbols.Polyfills), []string{"libc.so.6 stat GLIBC_2.33 libdriver.so.2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("polyfills %q", got)
	}
	if got, want := names(p.Symbols.Aliases), []string{"libc.so.6 pthread_create GLIBC_2.34 libdriver.so.2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("aliases %q", got)
	}
	want := []string{"libX11.so.6 XNewThing  libdriver.so.2", "libc.so.6 strange GLIBC_2.38 libdriver.so.2"}
	if got := names(p.Symbols.Missing); !reflect.DeepEqual(got, want) {
		t.Errorf("missing %q", got)
	}
	warnings := strings.Join(p.Warnings, "\n")
	for _, w := range []string{"strange@GLIBC_2.38", "XNewThing", "gl_table"} {
		if !strings.Contains(warnings, w) {
			t.Errorf("no warning names %s:\n%s", w, warnings)
		}
	}
}

// What only a shared library of the host needs is not loaded.
func TestUnreachableDependencyIsLeftOut(t *testing.T) {
	in := input()
	in.Host.Libraries = append(in.Host.Libraries, &capsule.HostLibrary{Name: "libXau.so.6", Path: "/usr/lib/libXau.so.6.0",
		Source: "/host/usr/lib/libXau.so.6.0", Reason: "DT_NEEDED of libX11.so.6", File: &dynelf.File{}})
	in.Host.Libraries[1].Deps = append(in.Host.Libraries[1].Deps, 5)
	p := mustMake(t, in)
	for _, l := range p.Libraries {
		if l.Soname == "libXau.so.6" {
			t.Errorf("%+v", l)
		}
	}
	for _, m := range mustMakeWhole(t, in).Mounts {
		if strings.Contains(m.Target, "libXau") {
			t.Errorf("%+v", m)
		}
	}
	if indexOf(p, "libwayland-client.so.0", 1) < 0 {
		t.Error("the driver's own dependency is gone as well")
	}
}

// A library that the runtime lacks is the host's and private; one it has is shared, and the host's is not mounted.
func TestSides(t *testing.T) {
	p := mustMake(t, input())
	sides := map[string]string{}
	for _, l := range p.Libraries {
		sides[l.Soname] += string(l.Side) + " "
		if l.Reason == "" {
			t.Errorf("%s has no reason", l.Soname)
		}
	}
	want := map[string]string{"libc.so.6": "runtime ", "libX11.so.6": "runtime ", "libpthread.so.0": "runtime ",
		"libdl.so.2": "runtime ", "libwayland-client.so.0": "host ", "libdriver.so.2": "host ", "libGL.so.1": "host stub ",
		"ld-linux-x86-64.so.2": "runtime "}
	if !reflect.DeepEqual(sides, want) {
		t.Errorf("sides %v", sides)
	}
	for _, m := range capsule.PlaceMounts(mustMakeWhole(t, input()).Mounts, "/build") {
		if strings.Contains(m.Target, "libc.so") || strings.Contains(m.Target, "libX11") {
			t.Errorf("%s is mounted", m.Target)
		}
		if !m.ReadOnly || !strings.HasPrefix(m.Target, capsule.Dir+"/") || !strings.HasPrefix(m.Source, "/") {
			t.Errorf("mount %+v", m)
		}
	}
}

func TestClosureIsDependenciesFirst(t *testing.T) {
	p := mustMake(t, input())
	m := &p.Artefacts().Manifest
	var names []string
	for _, i := range m.Objects[indexOf(p, "libGL.so.1", 1)].Closure {
		names = append(names, m.Objects[i].Soname)
	}
	if want := []string{"libc.so.6", "libX11.so.6", "libwayland-client.so.0", "libdriver.so.2"}; !reflect.DeepEqual(names, want) {
		t.Errorf("closure %q", names)
	}
}

func TestStubHasFunctionsOnly(t *testing.T) {
	p := mustMake(t, input())
	stubs := p.Artefacts().Stubs
	if len(stubs) != 1 || len(stubs[0].Symbols) != 2 {
		t.Fatalf("stubs %+v", stubs)
	}
	for _, l := range p.Libraries {
		if l.Side == capsule.SideStub && !reflect.DeepEqual(l.Data, []string{"gl_table"}) {
			t.Errorf("data of the stub: %q", l.Data)
		}
	}
}

func TestCacheReplacesOnlyWhatAStubStandsFor(t *testing.T) {
	p := mustMakeWhole(t, input())
	var got []string
	for _, e := range p.Cache {
		got = append(got, e.Name+" "+e.Path)
	}
	want := []string{"libGL.so.1 /usr/lib32/libGL.so.1", "libz.so.1 /usr/lib/libz.so.1",
		"libGL.so.1 /usr/lib/capsule/x86_64-linux-gnu/lib/libGL.so.1", "libcapsule.so /usr/lib/capsule/x86_64-linux-gnu/lib/libcapsule.so"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("cache %q", got)
	}
}

// A front end whose file has another DT_SONAME is found by the name that programs know, outside of the capsule and in it. A
// name that another stub has is that one's.
func TestStubUnderOtherNames(t *testing.T) {
	in := input()
	gl := in.Host.Libraries[4]
	mali := *gl
	mali.Name, mali.Path, mali.Aliases = "libmali.so.1", "/usr/lib/libmali.so.1", nil
	mali.Uses = []capsule.Use{{API: "GL", FrontEnd: true, Names: []string{"libGLESv2.so.2", "libGL.so.1"}},
		{API: "EGL", FrontEnd: true, Names: []string{"libEGL.so.1", "libGLESv2.so.2"}}}
	needs := *in.Host.Libraries[3]
	needs.Name, needs.Path, needs.Requested, needs.Deps = "libneeds.so.1", "/usr/lib/libneeds.so.1", true, []int{5}
	needs.File = &dynelf.File{Needed: []string{"libEGL.so.1"}}
	in.Host.Libraries = append(in.Host.Libraries, &mali, &needs)
	p := mustMakeWhole(t, in)
	var cache []string
	for _, e := range p.Cache {
		if strings.HasPrefix(e.Path, "/usr/lib/capsule/") {
			cache = append(cache, path.Base(e.Path))
		}
	}
	if want := []string{"libEGL.so.1", "libGL.so.1", "libGLESv2.so.2", "libcapsule.so", "libmali.so.1", "libneeds.so.1"}; !slices.Equal(cache, want) {
		t.Errorf("cache %q", cache)
	}
	for _, s := range p.Architectures[0].Artefacts().Stubs {
		var want []string
		if s.Soname == "libmali.so.1" {
			want = []string{"libEGL.so.1", "libGLESv2.so.2"}
		}
		if !slices.Equal(s.Names, want) {
			t.Errorf("%s is also %q", s.Soname, s.Names)
		}
	}
	for _, w := range p.Architectures[0].Warnings {
		if strings.Contains(w, "libneeds.so.1 needs") {
			t.Error(w)
		}
	}
}

func TestRequestedLibraries(t *testing.T) {
	in := input()
	in.Host.Libraries[0].Requested = true
	if _, err := capsule.Make(whole(in)); !errors.Is(err, capsule.ErrRequested) {
		t.Errorf("libc: %v", err)
	}
	in = input()
	in.Host.Libraries[1].Requested = true
	if _, err := capsule.Make(whole(in)); !errors.Is(err, capsule.ErrRequested) {
		t.Errorf("libX11, which the runtime has: %v", err)
	}
	in = input()
	in.Host.Libraries[3].Requested = true
	in.Host.Libraries[3].Exports = syms("drive@@DRIVER_1")
	in.Host.Libraries[3].File.VersionDefs = defs("DRIVER_1")
	p := mustMake(t, in)
	if len(p.Artefacts().Stubs) != 2 {
		t.Errorf("%d stubs", len(p.Artefacts().Stubs))
	}
}

// A release need not add a function to libc.so.6: 2.31 did so to libpthread and libm alone.
func TestReleaseOfTheHost(t *testing.T) {
	in := input()
	libc := in.Host.Libraries[0].File
	libc.VersionDefs = defs("GLIBC_2.2.5", "GLIBC_2.30", "GLIBC_2.9", "GLIBC_ABI_DT_RELR", "GLIBC_2.4000000000", "GLIBC_PRIVATE")
	add := func(name string, versions ...string) {
		in.Host.Libraries = append(in.Host.Libraries, &capsule.HostLibrary{Name: name, Path: "/usr/lib/" + name,
			File: &dynelf.File{VersionDefs: defs(versions...)}})
	}
	if p := mustMake(t, in); p.HostLibc != "2.30" {
		t.Errorf("the host has glibc %q", p.HostLibc)
	}
	add("libpthread.so.0", "GLIBC_2.2.5", "GLIBC_2.31")
	add("libX.so.1", "GLIBC_2.50")
	if p := mustMake(t, in); p.HostLibc != "2.31" {
		t.Errorf("the host has glibc %q with libpthread", p.HostLibc)
	}
	libc.VersionDefs = defs("LIBC_1")
	if p := mustMake(t, in); p.HostLibc != "" {
		t.Errorf("the host has glibc %q without one", p.HostLibc)
	}
}

func TestPlanIsDeterministic(t *testing.T) {
	first, err := build.JSON(mustMakeWhole(t, input()))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		again, _ := build.JSON(mustMakeWhole(t, input()))
		if string(first) != string(again) {
			t.Fatalf("two plans of one input:\n%s\n%s", first, again)
		}
	}
}

// A runtime before glibc 2.38 has no libmvec on aarch64. The host's is used where it asks nothing of the rest of its libc.
func TestLibmvecOfTheHost(t *testing.T) {
	for want, version := range map[capsule.Side]string{capsule.SideHost: "GLIBC_2.17", capsule.SideRuntime: "GLIBC_PRIVATE"} {
		in := input()
		in.Host.Libraries = append(in.Host.Libraries, &capsule.HostLibrary{Name: "libmvec.so.1", Path: "/usr/lib/libmvec.so.1",
			Source: "/host/usr/lib/libmvec.so.1", Reason: "test", File: &dynelf.File{}, Deps: []int{0},
			Exports: syms("_ZGVnN2v_cos@@GLIBC_2.38"), Imports: imports("puts@" + version + "/libc.so.6")})
		driver := in.Host.Libraries[3]
		driver.Deps = append(driver.Deps, len(in.Host.Libraries)-1)
		all := whole(in)
		all.Rules.Libc = append(all.Rules.Libc, "libmvec.so.1")
		p, err := capsule.Make(all)
		if err != nil {
			t.Fatal(err)
		}
		var got []capsule.Side
		for _, l := range p.Architectures[0].Libraries {
			if l.Soname == "libmvec.so.1" {
				got = append(got, l.Side)
			}
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("calling a function of %s it is of %v, want %v", version, got, want)
		}
	}
}

// What a library opens is mounted where the library is, is opened by nobody before, and goes where the library goes.
func TestOpenedLibraries(t *testing.T) {
	in := input()
	in.Host.Libraries = append(in.Host.Libraries, &capsule.HostLibrary{Name: "libopened.so.1", Path: "/usr/lib/libopened.so.1",
		Source: "/host/usr/lib/libopened.so.1", Reason: "opened by libdriver.so.2", Found: "list", File: &dynelf.File{}})
	in.Host.Libraries[3].Opens = []int{5}
	p := mustMake(t, in)
	found := false
	for _, l := range p.Libraries {
		if l.Soname == "libopened.so.1" {
			found = l.Found == "list" && l.Side == capsule.SideHost
		}
		if slices.Contains(l.Needs, "libopened.so.1") {
			t.Errorf("%s needs it", l.Soname)
		}
		if l.Soname == "libdriver.so.2" && l.Side == capsule.SideHost && !slices.Equal(l.Opens, []string{"libopened.so.1"}) {
			t.Errorf("%+v", l)
		}
	}
	if !found {
		t.Errorf("%+v", p.Libraries)
	}
	in.Host.Libraries[3].Opens = nil
	for _, l := range mustMake(t, in).Libraries {
		if l.Soname == "libopened.so.1" {
			t.Error("it is there although nobody opens it")
		}
	}
}
