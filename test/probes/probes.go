// Package probes holds the sources of the small programs and libraries that tests run inside a capsule, and says how
// they are compiled.
//
// They exist because what a capsule must keep true (one heap, one stdio, one set of thread keys, unwinding through
// the driver, …) shows only in compiled code of two releases that meet in one process. Programs are compiled on Debian
// 11 unless their purpose is otherwise, so that they run on every runtime under test; the host's libraries on
// Debian 13. The package compiles nothing itself: test/trees does.
package probes

import "embed"

// Sources holds all C and C++ files.
//
//go:embed abi cxx gl hostlib include onelibc paths stress wayland
var Sources embed.FS

// A Probe is one output of a compiler.
type Probe struct {
	// Out is the path: bin/ for what runs on the runtime side, host/ for libraries of the host, stray/ for one of nobody.
	Out string
	// SDK is the tree whose compiler makes it.
	SDK string
	// Compiler is gcc or g++, Sources the files it is given, Flags what follows them.
	Compiler string
	Sources  []string
	Flags    []string
}

var glx = []string{"-lGL", "-lX11"}

var stress = []string{"-pthread", "-lEGL", "-lGLESv2"}

// oneLibcFlags: the program is linked to the stand-in; "--no-as-needed" keeps libraries that some releases do not need.
var oneLibcFlags = []string{"-std=gnu11", "-Iinclude", "-pthread", "-L/out/standin", "-lcapsuletest", "-lX11", "-ldl", "-lm",
	"-Wl,--no-as-needed", "-lrt"}

var oneLibcSources = []string{"onelibc/main.c", "onelibc/memory.c", "onelibc/threads.c", "onelibc/stdio.c",
	"onelibc/process.c", "onelibc/exit.c", "onelibc/lookup.c", "onelibc/loader.c"}

var abiLibrary = []string{"abi/conventions.c", "abi/time64.c"}

// abiFlags: 64-bit time is new to 32-bit ports; elsewhere, and on Debian 11, the macros change nothing.
var abiFlags = []string{"-D_GNU_SOURCE", "-D_TIME_BITS=64", "-D_FILE_OFFSET_BITS=64", "-shared", "-fPIC", "-pthread",
	"-Wl,-soname,libcapsuletest-abi.so", "-lrt"}

// All lists every probe. Before them two libraries are generated from include/capsuletest.h: the stand-in that one_libc
// is linked to, standin/libcapsuletest.so, and the counter-example twolibcs/libcapsuletest.so.1, which loads the real
// one by dlmopen with a libc of its own.
var All = []Probe{
	{"bin/gl_first", "sdk11", "gcc", []string{"gl/gl_first.c"}, glx},
	{"bin/exec_at", "sdk11", "gcc", []string{"gl/exec_at.c"}, []string{"-static"}},
	{"bin/egl_small", "sdk11", "gcc", []string{"gl/egl_small.c"}, []string{"-lEGL", "-lGLESv2"}},
	{"bin/gl_dlopen", "sdk11", "gcc", []string{"gl/gl_dlopen.c"}, []string{"-lX11", "-ldl"}},
	{"bin/maps", "sdk11", "gcc", []string{"gl/maps.c"}, glx},
	{"bin/frames", "sdk11", "gcc", []string{"gl/frames.c"}, glx},
	{"bin/gl_calls_lazy", "sdk11", "gcc", []string{"gl/gl_calls.c"}, append([]string{"-D_GNU_SOURCE", "-Wl,-z,lazy", "-ldl"}, glx...)},
	{"bin/gl_calls_now", "sdk11", "gcc", []string{"gl/gl_calls.c"}, append([]string{"-D_GNU_SOURCE", "-Wl,-z,now", "-ldl"}, glx...)},
	{"bin/own_malloc", "sdk11", "gcc", []string{"gl/own_malloc.c"}, append([]string{"-D_GNU_SOURCE", "-fno-builtin"}, glx...)},
	{"bin/dl_close", "sdk11", "gcc", []string{"gl/dl_close.c"}, []string{"-ldl"}},
	{"bin/dl_call", "sdk11", "gcc", []string{"gl/dl_call.c"}, []string{"-ldl"}},
	{"bin/xcb_gl", "sdk11", "gcc", []string{"gl/xcb_gl.c"}, append([]string{"-lX11-xcb", "-lxcb"}, glx...)},
	{"bin/contexts", "sdk11", "gcc", []string{"gl/contexts.c"}, append([]string{"-lEGL"}, glx...)},
	{"bin/gbm", "sdk11", "gcc", []string{"gl/gbm.c"}, []string{"-ldl"}},
	// DT_RPATH, unlike DT_RUNPATH, is for the libraries' own dependencies too.
	{"bin/maps_origin", "sdk11", "gcc", []string{"gl/maps.c"}, append([]string{"-Wl,-rpath,$ORIGIN/lib,--disable-new-dtags"}, glx...)},
	{"bin/gl_threads", "sdk11", "gcc", []string{"stress/gl_threads.c"}, stress},
	{"bin/gl_churn", "sdk11", "gcc", []string{"stress/gl_churn.c"}, stress},
	{"bin/gl_loop", "sdk11", "gcc", []string{"stress/gl_loop.c"}, stress},
	{"bin/gl_forks", "sdk11", "gcc", []string{"stress/gl_forks.c"}, stress},
	{"bin/thread_storm", "sdk11", "gcc", []string{"stress/thread_storm.c"},
		[]string{"-std=gnu11", "-Iinclude", "-pthread", "-L/out/standin", "-lcapsuletest"}},
	{"bin/dl_rounds", "sdk11", "gcc", []string{"stress/dl_rounds.c"}, []string{"-ldl"}},
	{"bin/hook_swap.so", "sdk11", "gcc", []string{"gl/hook_swap.c"}, []string{"-shared", "-fPIC", "-ldl"}},
	{"bin/audit.so", "sdk11", "gcc", []string{"gl/audit.c"}, []string{"-shared", "-fPIC", "-Wno-unused-parameter"}},
	{"bin/one_libc", "sdk11", "gcc", oneLibcSources, oneLibcFlags},
	{"bin/unwind", "sdk11", "g++", []string{"cxx/unwind.cc"},
		[]string{"-Iinclude", "-pthread", "-L/out/standin", "-lcapsuletest", "-ldl"}},
	{"bin/wayland_polyfills", "sdk11", "gcc", []string{"wayland/polyfills.c"}, []string{"-ldl"}},
	// The library that the program is linked to, and the host's: the second is what runs.
	{"standin/libcapsuletest-abi.so", "sdk11", "gcc", abiLibrary, abiFlags},
	{"host/libcapsuletest-abi.so", "sdk13", "gcc", abiLibrary, abiFlags},
	{"bin/abi", "sdk11", "gcc", []string{"abi/main.c"}, []string{"-Wl,-z,now", "-L/out/standin", "-lcapsuletest-abi"}},
	{"bin/sealed", "sdk11", "gcc", []string{"paths/sealed.c"}, []string{"-ldl"}},
	{"bin/paths", "sdk11", "gcc", []string{"paths/main.c"}, []string{"-ldl"}},
	{"bin/open_cost", "sdk11", "gcc", []string{"paths/open_cost.c"}, []string{"-ldl"}},
	{"host/libcapsuletest-paths.so", "sdk13", "gcc", []string{"paths/library.c", "paths/stack.c"}, []string{"-shared", "-fPIC", "-Wl,-z,defs"}},
	// The same with the largest types, which are functions of other names where these are not the only ones.
	{"host/libcapsuletest-paths64.so", "sdk13", "gcc", []string{"paths/library.c", "paths/stack.c"},
		[]string{"-D_TIME_BITS=64", "-D_FILE_OFFSET_BITS=64", "-shared", "-fPIC", "-Wl,-z,defs"}},
	// _BitInt is C, so this one is an object for the next.
	{"obj/wide.o", "sdk13", "gcc", []string{"cxx/wide.c"}, []string{"-std=gnu23", "-c"}},
	{"bin/gcc14", "sdk13", "g++", []string{"cxx/gcc14.cc", "/out/obj/wide.o"},
		[]string{"-shared-libgcc", "-lGL", "-lX11-xcb", "-lX11", "-lxcb"}},
	{"host/libcapsuletest-plugin.so", "sdk13", "g++", []string{"hostlib/plugin.cc"}, []string{"-shared", "-fPIC", "-Wl,-z,defs"}},
	{"stray/libcapsuletest-stray.so", "sdk13", "g++", []string{"hostlib/plugin.cc"}, []string{"-shared", "-fPIC", "-Wl,-z,defs"}},
	{"host/libcapsuletest-a.so", "sdk13", "g++", []string{"hostlib/global_a.cc"}, []string{"-shared", "-fPIC", "-Wl,-z,defs"}},
	{"host/libcapsuletest-b.so", "sdk13", "g++", []string{"hostlib/global_b.cc"}, []string{"-shared", "-fPIC"}},
	{"host/libcapsuletest-relr.so", "sdk13", "g++", []string{"hostlib/relr.cc"},
		[]string{"-shared", "-fPIC", "-mtls-dialect=gnu2", "-Wl,-z,defs", "-Wl,-z,pack-relative-relocs", "-Wl,-z,mark-plt",
			"-Wl,-z,now"}},
	{"host/libcapsuletest.so.1", "sdk13", "g++", []string{"hostlib/memory.cc", "hostlib/threads.cc", "hostlib/stdio.cc",
		"hostlib/process.cc", "hostlib/lookup.cc", "hostlib/locale.cc", "hostlib/loader.cc", "hostlib/x11.cc",
		"hostlib/selftest.cc", "hostlib/cxx.cc", "hostlib/newer.cc", "hostlib/dlopen.cc"},
		[]string{"-std=gnu++20", "-Iinclude", "-shared", "-fPIC", "-Wl,-z,defs", "-Wl,-soname,libcapsuletest.so.1", "-lX11", "-pthread"}},
}

// HostLibraries are the libraries that a host with the tests' libraries has, by SONAME.
var HostLibraries = []string{"libcapsuletest.so.1", "libcapsuletest-plugin.so", "libcapsuletest-a.so", "libcapsuletest-b.so",
	"libcapsuletest-relr.so", "libcapsuletest-abi.so", "libcapsuletest-paths.so", "libcapsuletest-paths64.so"}
