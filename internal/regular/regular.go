// Package regular reads small files that others have put there: configuration, lists,
// specifications. It exists because a name may stand for something else than a file: opening a pipe
// waits for its writer, opening a device may do something, and either may have no end. What is
// opened here is a regular file, and what is read of it has a bound.
//
// It follows links, unless the caller says otherwise, and does not ask whose a file is: package
// trust does.
package regular

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

var (
	// ErrNotRegular says that a name stands for a directory, a pipe, a device or a socket.
	ErrNotRegular = errors.New("not a regular file")
	// ErrTooLarge says that a file has more bytes than its reader could want.
	ErrTooLarge = errors.New("file too large")
)

// Open opens a regular file for reading. flags are further ones of open(2), such as O_NOFOLLOW.
func Open(name string, flags int) (*os.File, error) {
	// Without O_NONBLOCK a pipe's writer is waited for, and a device may be. O_NOCTTY: a terminal
	// would become this process's.
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|flags, 0)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) { // a socket; a device that nothing is behind
		return nil, fmt.Errorf("%s: %w", name, ErrNotRegular)
	}
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", name, ErrNotRegular)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Read returns the content of a regular file of at most limit bytes.
func Read(name string, limit int64) ([]byte, error) {
	f, err := Open(name, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return All(f, limit)
}

// All reads an open file from where it stands to its end.
func All(f *os.File, limit int64) ([]byte, error) {
	text, err := Bounded(f, limit)
	if errors.Is(err, ErrTooLarge) {
		err = fmt.Errorf("%s: %w", f.Name(), err)
	}
	return text, err
}

// Bounded reads what need not be a file to its end. Above limit bytes the error is ErrTooLarge.
func Bounded(r io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%w (limit %d bytes)", ErrTooLarge, limit)
	}
	return text, nil
}
