package probes

import "embed"

// AddressSources holds a library with errors in its use of memory, and the program that calls it.
//
//go:embed asan
var AddressSources embed.FS

// AddressLibrary is that library's SONAME.
const AddressLibrary = "libcapsuleasan.so.1"

// Address lists what is compiled of AddressSources.
var Address = []Probe{
	{"bin/asan", "sdk11", "gcc", []string{"asan/main.c"}, []string{"-ldl"}},
	{"host/" + AddressLibrary, "sdk13", "gcc", []string{"asan/library.c"}, []string{"-D_GNU_SOURCE", "-U_FORTIFY_SOURCE",
		"-fno-builtin", "-Wno-use-after-free", "-Wno-stringop-overflow", "-shared", "-fPIC", "-Wl,-soname," + AddressLibrary}},
}
