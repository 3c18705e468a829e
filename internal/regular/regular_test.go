package regular

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A name may stand for anything; none of it is waited for. Where one were, the test would not end.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(unix.Mkfifo(at("pipe"), 0o644), unix.Mknod(at("socket"), unix.S_IFSOCK|0o644, 0), os.Mkdir(at("directory"), 0o755),
		os.Symlink("pipe", at("link to pipe")), os.Symlink("full", at("link")), os.Symlink("self", at("self")),
		os.WriteFile(at("full"), []byte("12345"), 0o644), os.WriteFile(at("large"), []byte("123456"), 0o644),
		os.WriteFile(at("empty"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{at("pipe"): ErrNotRegular, at("socket"): ErrNotRegular, at("directory"): ErrNotRegular,
		at("link to pipe"): ErrNotRegular, at("self"): unix.ELOOP, at("large"): ErrTooLarge, at("none"): fs.ErrNotExist,
		"/dev/zero": ErrNotRegular, "/dev/ptmx": ErrNotRegular, at("full"): nil, at("link"): nil, at("empty"): nil} {
		text, err := Read(name, 5)
		if !errors.Is(err, want) || want == nil && err != nil || err != nil && (text != nil || !strings.Contains(err.Error(), name)) {
			t.Errorf("%s: got %q and %v, want %v", name, text, err, want)
		}
	}
	if text, err := Read(at("link"), 5); string(text) != "12345" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if _, err := Open(at("link"), unix.O_NOFOLLOW); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link: %v", err)
	}
	if err := checkCloexec(at("full")); err != nil {
		t.Error(err)
	}
}

func checkCloexec(name string) error {
	f, err := Open(name, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
	if err == nil && flags&unix.FD_CLOEXEC == 0 {
		err = errors.New("a child would have the descriptor")
	}
	return err
}
