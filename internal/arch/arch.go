// Package arch holds what differs between the processor architectures: ELF numbers, the multiarch triplet, the
// dynamic loader's path and the flags of its cache. It exists so that no other package writes such a number down;
// it never touches a file.
package arch

import "debug/elf"

// Arch describes one architecture as glibc and Debian's multiarch know it.
type Arch struct {
	// Name is what glibc calls its port, for x86-64 also the kernel's name (uname -m says i686 on i386).
	Name string
	// Triplet is the multiarch triplet, as in /usr/lib/<triplet>.
	Triplet string
	Machine elf.Machine
	Class   elf.Class
	// Loader is the path of the dynamic loader that programs name in PT_INTERP, LoaderSoname its DT_SONAME.
	Loader       string
	LoaderSoname string
	// CacheFlags is what ld.so demands of the flags word of a cache entry: FLAG_ELF_LIBC6 and the architecture's
	// own bits (glibc, sysdeps/generic/ldconfig.h and sysdeps/unix/sysv/linux/*/dl-cache.h).
	CacheFlags uint32
	// LibDirs are the names that /usr/lib and /lib take for this architecture in the layouts we know, most
	// specific first: Debian multiarch, Fedora and openSUSE lib64, flat lib. ld.so's built-in default
	// directories are among them.
	LibDirs []string
	// BaseVersion is the oldest glibc symbol version of the port: what every glibc of it has.
	BaseVersion string
}

// X8664 is the x86-64 port of glibc.
var X8664 = &Arch{
	Name:         "x86_64",
	Triplet:      "x86_64-linux-gnu",
	Machine:      elf.EM_X86_64,
	Class:        elf.ELFCLASS64,
	Loader:       "/lib64/ld-linux-x86-64.so.2",
	LoaderSoname: "ld-linux-x86-64.so.2",
	CacheFlags:   0x0303,
	LibDirs:      []string{"lib/x86_64-linux-gnu", "lib64", "lib"},
	BaseVersion:  "GLIBC_2.2.5",
}

// I386 is the i386 port of glibc, also known as i686 and x86-32.
var I386 = &Arch{
	Name:         "i386",
	Triplet:      "i386-linux-gnu",
	Machine:      elf.EM_386,
	Class:        elf.ELFCLASS32,
	Loader:       "/lib/ld-linux.so.2",
	LoaderSoname: "ld-linux.so.2",
	CacheFlags:   0x0003,
	LibDirs:      []string{"lib/i386-linux-gnu", "lib32", "lib"},
	BaseVersion:  "GLIBC_2.0",
}

// AArch64 is the aarch64 port of glibc, little-endian and with 64-bit pointers (LP64), also known as arm64.
var AArch64 = &Arch{
	Name:         "aarch64",
	Triplet:      "aarch64-linux-gnu",
	Machine:      elf.EM_AARCH64,
	Class:        elf.ELFCLASS64,
	Loader:       "/lib/ld-linux-aarch64.so.1",
	LoaderSoname: "ld-linux-aarch64.so.1",
	CacheFlags:   0x0a03,
	LibDirs:      []string{"lib/aarch64-linux-gnu", "lib64", "lib"},
	BaseVersion:  "GLIBC_2.17",
}

// All lists the supported architectures. A tree for several is one of the first of them: 64-bit before 32-bit.
var All = []*Arch{X8664, AArch64, I386}

// Of returns the architectures whose programs a machine runs by itself, by Go's name of it. Its own is the first.
func Of(goarch string) []*Arch {
	return map[string][]*Arch{"amd64": {X8664, I386}, "arm64": {AArch64}, "386": {I386}}[goarch]
}

// ByELF returns the supported architecture of an ELF header, or nil.
func ByELF(m elf.Machine, c elf.Class) *Arch {
	for _, a := range All {
		if a.Machine == m && a.Class == c {
			return a
		}
	}
	return nil
}
