// Package runtimes turns what a user has of a runtime into a directory: a directory as it is, a tar
// archive, an OCI image layout or a runtime of Steam's unpacked once into a cache. It exists so
// that every later stage sees a file tree and nothing else.
//
// It never fetches anything and executes nothing of an archive; what is made of one is package
// untar's. An entry in use is locked, and when the launcher's lock is gone processes that go on are
// looked for; one that nobody has used for a month and that has no name goes when another one
// comes, as does what a killed process left half unpacked.
package runtimes

import "errors"

var (
	// ErrKind says that a file is no archive that can be unpacked.
	ErrKind = errors.New("neither a directory, a tar archive nor an OCI image layout")
	// ErrImage says that an OCI image layout has no image that fits, or more than one.
	ErrImage = errors.New("no such image")
	// ErrArchive says that an archive or image is damaged.
	ErrArchive = errors.New("cannot be unpacked")
	// ErrName says that a name cannot be one, is taken, or is not known.
	ErrName = errors.New("name of a runtime")
	// ErrInUse says that a runtime cannot be removed: a program runs in it.
	ErrInUse = errors.New("in use")
)

// Progress is told how many bytes of how many have been read of what is unpacked.
type Progress func(what string, done, total int64)
