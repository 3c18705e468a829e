// Package replace puts a text in the place of a file's, as a whole or not at all: nobody ever reads half of it, and after an
// error or a crash the old file is there. It exists because google/renameio, which does that, leaves the owner and what a
// reader thinks of the text to its callers. It follows no link: one in the place of the file is replaced.
package replace

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
)

// Options of File.
type Options struct {
	// Like has the permissions and the owner, those of the file before; nil: 0644 whatever the umask, and who we are.
	Like fs.FileInfo
	// Kept leaves a file its permissions, and a new one what the umask does: it is the user's own.
	Kept bool
	// Check, if it is not nil, is asked before the file is in its place: name is a file beside it with the text. Its name
	// begins with a dot and has another extension, so that readers of the directory pass it over.
	Check func(name string) error
}

// File replaces a file, or makes it. Its directory must exist. The error does not name the file.
func File(name string, text []byte, o Options) (err error) {
	sweep(name)
	mode := fs.FileMode(0o644)
	if o.Like != nil {
		mode = o.Like.Mode().Perm()
	}
	// The directory is given, for renameio would else try TMPDIR's.
	permissions := []renameio.Option{renameio.WithStaticPermissions(mode)}
	if o.Kept {
		permissions = []renameio.Option{renameio.WithPermissions(0o666), renameio.WithExistingPermissions()}
	}
	f, err := renameio.NewPendingFile(name, append(permissions, renameio.WithTempDir(filepath.Dir(name)))...)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Cleanup()
		}
	}()
	if o.Like != nil {
		if st, ok := o.Like.Sys().(*syscall.Stat_t); ok {
			if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
				return err
			}
		}
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	if o.Check != nil {
		if err := o.Check(f.Name()); err != nil {
			return err
		}
	}
	return f.CloseAtomicallyReplace()
}

const (
	// leastDigits is what almost all of renameio's random numbers have (rand.Int63), and no date.
	leastDigits = 16
	// abandoned is when nobody writes a file any more.
	abandoned = time.Hour
)

// sweep removes what processes have left that were killed while they replaced this file. What goes
// wrong is no reason not to go on.
func sweep(name string) {
	dir, prefix := filepath.Dir(name), "."+filepath.Base(name)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		digits, ours := strings.CutPrefix(e.Name(), prefix)
		if !ours || len(digits) < leastDigits || strings.Trim(digits, "0123456789") != "" || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < abandoned {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == os.Geteuid() {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
