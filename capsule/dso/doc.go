// Package dso writes the shared objects that capsule-run generates: stubs for the base namespace and proxies for the
// capsule. It exists so that no compiler is needed on the user's machine, and so that objects for any architecture
// can be written on any other. It never reads a file and decides nothing: what an object exports was decided by the
// plan.
//
// Both kinds have the same layout, one page-aligned segment per protection:
//
//	R    ELF header, program headers, .note.gnu.property, .gnu.hash, .dynstr, .gnu.version, .gnu.version_d, .rel[a].dyn
//	RX   .text: what DT_INIT runs, a trampoline per symbol (stub), the rare code of a proxy
//	RW   capsule_dso (cshim/include/capsule_abi.h), .got, slots, .dynamic, .dynsym
//	     zeroes for data that nobody has (proxy), on pages of their own
//
// The symbol table lies in the writable segment because libcapsule writes the symbols' addresses
// into it: a proxy arrives with values relative to the runtime's library, a stub with values that
// point at its trampolines. When all is written libcapsule makes the segment read-only, but for the
// zeroes. PT_GNU_RELRO would be too early: ld.so applies it before DT_INIT.
package dso
