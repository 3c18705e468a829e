// Package trees makes the real Debian file trees that capsule-run is tested with, and the small programs
// ("probes") that run in them.
//
// It exists because the claims of this project are about real releases of glibc, Mesa and libstdc++ next to
// each other: a fake tree of empty files proves nothing. Trees are made on demand by mmdebstrap, kept between
// runs below CacheDir, and shared by all test processes of the machine: a tree is made in a temporary
// directory under a lock, and renamed to its final name only when it is complete. That name carries a hash of
// the recipe, so that a changed recipe never meets an old tree.
//
// A finished tree is read-only by agreement: tests that change a tree work on a copy (see Copy). The package
// never names a mirror (it asks apt's own configuration), never writes outside CacheDir, and is never
// imported by production code. Programs of a tree are executed only by this package's own set-up (the
// compilers of sdk11 and sdk13, ldconfig) and by native reference runs (see Enter).
package trees
