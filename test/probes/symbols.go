package probes

import "embed"

// SymbolSources holds the library that calls every newer symbol of glibc, and the program that runs it.
//
//go:embed symbols
var SymbolSources embed.FS

// SymbolLibrary is that library's SONAME.
const SymbolLibrary = "libcapsulesymbols.so.1"

// Symbols lists what is compiled of SymbolSources: the program for the runtime's side, the library on the newest release
// with a compiler, with lazy binding, so that one missing function costs one line.
var Symbols = []Probe{
	{"bin/symbols", "sdk11", "gcc", []string{"symbols/main.c"}, []string{"-ldl"}},
	{"host/" + SymbolLibrary, "sdk13", "gcc", []string{"symbols/table.c", "symbols/math_old.c", "symbols/math_narrow.c",
		"symbols/math_new.c", "symbols/libc_threads.c", "symbols/libc_cleanup.c", "symbols/libc_moved.c",
		"symbols/libc_text.c", "symbols/libc_linux.c", "symbols/libc_new.c"},
		[]string{"-std=gnu23", "-D_GNU_SOURCE", "-U_FORTIFY_SOURCE", "-fno-builtin", "-frounding-math",
			"-Wno-deprecated-declarations", "-Wno-nonnull", "-shared", "-fPIC", "-Wl,-z,lazy", "-Wl,-z,defs",
			"-Wl,-soname," + SymbolLibrary, "-lm"}},
}
