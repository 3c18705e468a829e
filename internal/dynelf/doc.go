// Package dynelf reads of an ELF file what the dynamic loader would see of it: program headers, the dynamic
// section, the version tables and the dynamic symbols; and what tells which libraries the object opens by itself,
// notes and the strings among its constants.
//
// It exists because debug/elf looks at a file through its section headers, which ld.so never reads and which a
// stripped library need not have, and because debug/elf does not say which version definition is the base or
// which symbol is a default one. The constants are debug/elf's.
//
// Each byte read here comes from outside. Every offset and count is checked against the file's size before it is
// used, tables are read with pread (a file that another process truncates is an error, not a SIGBUS), nothing is
// mapped, and nothing of the file is ever executed.
package dynelf

import (
	"debug/elf"
	"errors"
	"fmt"
)

var (
	// ErrNotELF says that the file does not start with the ELF magic.
	ErrNotELF = errors.New("not an ELF file")
	// ErrTruncated says that a header points behind the end of the file.
	ErrTruncated = errors.New("truncated ELF file")
	// ErrCorrupt says that the file contradicts itself or the ELF specification.
	ErrCorrupt = errors.New("corrupt ELF file")
	// ErrExcessive is an ErrCorrupt: the file has more of something than any library, by far. What
	// it names may overlap, so that its size bounds neither memory nor time.
	ErrExcessive = fmt.Errorf("%w: more than any library has", ErrCorrupt)
)

// File is what ld.so learns of an object before it resolves any symbol.
type File struct {
	Machine elf.Machine
	Class   elf.Class
	Type    elf.Type
	// Interp is the content of PT_INTERP, empty for a library that has none.
	Interp string
	// Soname is DT_SONAME, Needed the DT_NEEDED entries in their order.
	Soname string
	Needed []string
	// RPath and RunPath are DT_RPATH and DT_RUNPATH split at colons; $ORIGIN and its like are left as written.
	RPath, RunPath []string
	// Flags and Flags1 are DT_FLAGS (elf.DynFlag) and DT_FLAGS_1 (elf.DynFlag1).
	Flags, Flags1 uint64
	// BuildID is the descriptor of the NT_GNU_BUILD_ID note.
	BuildID []byte
	// Dlopen is what the object says that it opens by itself (.note.dlopen).
	Dlopen []Dlopen
	// HasRELR says that there is a DT_RELR table, which glibc before 2.36 cannot relocate.
	HasRELR bool
	// MarksPLT says that an x86-64 object was linked with -z mark-plt (DT_X86_64_PLT): its PLT relocations have addends,
	// which glibc before 2.36 uses wrongly.
	MarksPLT bool
	// TLSSize and TLSAlign are the size in memory and the alignment of PT_TLS, in bytes.
	TLSSize, TLSAlign uint64
	// StaticTLS is DF_STATIC_TLS: the object needs its TLS block within the static surplus.
	StaticTLS    bool
	VersionDefs  []VersionDef
	VersionNeeds []VersionNeed
}

// VersionDef is one entry of DT_VERDEF.
type VersionDef struct {
	Name string
	// Index is the number that symbols use for it in DT_VERSYM.
	Index uint16
	// Base marks the definition that names the file itself (VER_FLG_BASE), Weak one without symbols (VER_FLG_WEAK).
	Base, Weak bool
	// Parents are the versions that this one says it succeeds.
	Parents []string
}

// VersionNeed is one entry of DT_VERNEED: the versions wanted of one library.
type VersionNeed struct {
	Library  string
	Versions []string
	// Weak tells of each of Versions whether the loader only warns when the library lacks it (VER_FLG_WEAK).
	Weak []bool
}

// Symbol is an entry of the dynamic symbol table.
type Symbol struct {
	Name string
	// Version is the symbol's version, empty for an unversioned one (or one of the base definition).
	Version string
	// Default is set for name@@version and for an unversioned symbol; a link editor or dlsym without a version
	// finds only such a one.
	Default bool
	// Library is, of an undefined symbol with a version, the file in which DT_VERNEED expects that version.
	Library string
	Type    elf.SymType
	Bind    elf.SymBind
	// Value is as written in the file: for most types an address before relocation.
	Value, Size uint64
	Section     elf.SectionIndex
	// Other is st_other without the visibility: what the processor's supplement has to say of a symbol, such as
	// STO_AARCH64_VARIANT_PCS.
	Other byte
	// Index is the symbol's index in the dynamic symbol table.
	Index uint32
}

const (
	// bindUnique is STB_GNU_UNIQUE (gABI STB_LOOS, GNU extension).
	bindUnique elf.SymBind = 10
	// typeIFunc is STT_GNU_IFUNC (gABI STT_LOOS, GNU extension).
	typeIFunc elf.SymType = 10
	// dtRELR is DT_RELR (gABI, 2022).
	dtRELR elf.DynTag = 36
	// dtX8664PLT is DT_X86_64_PLT (x86-64 psABI 1.0).
	dtX8664PLT elf.DynTag = 0x70000000
	// ntGNUBuildID is NT_GNU_BUILD_ID (elf.h).
	ntGNUBuildID = 3
)
