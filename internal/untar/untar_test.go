package untar

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// header is an entry in a few letters: "a/" is a directory, "a -> b" a symbolic link, "a => b" a
// hard link, "a=text" a file, "a~text" one that is stored with holes, "a|" a pipe, "a!" a device.
// "@755 " before it is its mode.
func header(text string) (h *tar.Header, content string) {
	h = &tar.Header{Mode: 0o755, ModTime: time.Unix(1e9, 0), Typeflag: tar.TypeReg}
	if rest, ok := strings.CutPrefix(text, "@"); ok {
		fmt.Sscanf(rest, "%o", &h.Mode)
		_, text, _ = strings.Cut(rest, " ")
	}
	h.Name = text
	for mark, kind := range map[string]byte{" -> ": tar.TypeSymlink, " => ": tar.TypeLink} {
		if name, target, ok := strings.Cut(text, mark); ok {
			h.Name, h.Linkname, h.Typeflag = name, target, kind
			return h, ""
		}
	}
	switch last := text[len(text)-1]; {
	case last == '/':
		h.Typeflag = tar.TypeDir
	case last == '|':
		h.Typeflag, h.Name = tar.TypeFifo, text[:len(text)-1]
	case last == '!':
		h.Typeflag, h.Name, h.Devmajor, h.Devminor = tar.TypeChar, text[:len(text)-1], 1, 3
	case strings.Contains(text, "="):
		h.Name, content, _ = strings.Cut(text, "=")
	case strings.Contains(text, "~"):
		h.Typeflag = tar.TypeGNUSparse
		h.Name, content, _ = strings.Cut(text, "~")
	}
	h.Size = int64(len(content))
	return h, content
}

func unpack(dir string, layers ...[]string) error {
	tree, err := Open(dir)
	if err != nil {
		return err
	}
	defer tree.Close()
	_, err = unpackTo(tree, layers...)
	return err
}

// unpackTo unpacks layers, each of which is some entries, and returns at which entry it ended.
func unpackTo(tree *Tree, layers ...[]string) (at int, err error) {
	for _, l := range layers {
		tree.layer++
		for _, e := range l {
			h, content := header(e)
			if err := tree.entry(h, strings.NewReader(content)); err != nil {
				return at, fmt.Errorf("%s: %w", e, err)
			}
			at++
		}
	}
	return at, tree.Finish()
}

// shown lists what is in a directory, as header reads it.
func shown(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	first := map[uint64]string{}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		name := strings.TrimPrefix(p, dir+"/")
		var st unix.Stat_t
		must(t, unix.Lstat(p, &st))
		if same, ok := first[st.Ino]; ok {
			out = append(out, name+" => "+same)
			return nil
		}
		first[st.Ino] = name
		if mode := st.Mode & 0o7777; mode != 0o755 && d.Type() != fs.ModeSymlink {
			name = fmt.Sprintf("@%o %s", mode, name)
		}
		switch d.Type() {
		case fs.ModeDir:
			name += "/"
		case fs.ModeSymlink:
			target, err := os.Readlink(p)
			must(t, err)
			name += " -> " + target
		case fs.ModeNamedPipe:
			name += "|"
		case 0:
			b, err := os.ReadFile(p)
			must(t, err)
			name += "=" + string(b)
		default:
			t.Errorf("%s is %v", name, d)
		}
		out = append(out, name)
		return nil
	}))
	return out
}

func TestLayers(t *testing.T) {
	for _, c := range []struct {
		name   string
		layers [][]string
		want   []string
	}{
		{"plain", [][]string{{"./", "a/", "a/f=x", "a/l -> f", "@644 a/g=y"}}, []string{"a/", "a/f=x", "@644 a/g=y", "a/l -> f"}},
		{"names", [][]string{{"./a/", "/b/", "../../c=x", "a/../d=y", "./a//e/=", "f/"}}, []string{"a/", "a/e=", "b/", "c=x", "d=y", "f/"}},
		{"no directories before", [][]string{{"a/b/c=x"}}, []string{"a/", "a/b/", "a/b/c=x"}},
		{"twice", [][]string{{"a=x", "a=y", "b/", "b/c=z", "b/"}}, []string{"a=y", "b/", "b/c=z"}},
		{"file, directory", [][]string{{"a=x", "a/", "a/b=y"}}, []string{"a/", "a/b=y"}},
		{"file as parent", [][]string{{"a=x", "a/b=y"}}, []string{"a/", "a/b=y"}},
		{"directory, file", [][]string{{"a/b/c=x", "a=y"}}, []string{"a=y"}},
		{"directory, link", [][]string{{"a/b/c=x", "d/", "a -> d", "a/e=y"}}, []string{"a -> d", "d/", "d/e=y"}},
		{"link, directory", [][]string{{"d/", "a -> d", "a/", "a/e=y"}}, []string{"a/", "a/e=y", "d/"}},
		{"link, file", [][]string{{"d=x", "a -> d", "a=y"}}, []string{"a=y", "d=x"}},
		{"through links", [][]string{{"u/l/", "l -> u/l", "m -> /l/../l", "n -> ../../../l", "l/a=1", "m/b=2", "n/c=3"}},
			[]string{"l -> u/l", "m -> /l/../l", "n -> ../../../l", "u/", "u/l/", "u/l/a=1", "u/l/b=2", "u/l/c=3"}},
		{"through a link to nothing", [][]string{{"l -> /x/y", "l/a=1"}}, []string{"l -> /x/y", "x/", "x/y/", "x/y/a=1"}},
		{"through a link to a file", [][]string{{"f=x", "l -> f", "l/a=1"}}, []string{"f/", "f/a=1", "l -> f"}},
		{"through nothing and back", [][]string{{"l -> x/y/../../z", "l/a=1"}}, []string{"l -> x/y/../../z", "z/", "z/a=1"}},
		{"hard links", [][]string{{"a=x", "b => a", "c => /a", "d => ../../a", "a => b", "b => b"}},
			[]string{"a=x", "b => a", "c => a", "d => a"}},
		{"hard link of a link", [][]string{{"a -> /etc/passwd", "b => a"}}, []string{"a -> /etc/passwd", "b => a"}},
		{"hard link through a link", [][]string{{"d/f=x", "l -> d", "b => l/f"}}, []string{"b=x", "d/", "d/f => b", "l -> d"}},
		{"hard link for a directory", [][]string{{"a=x", "d/e=y", "d => a"}}, []string{"a=x", "d => a"}},
		{"a linked file replaced", [][]string{{"a=x", "b => a"}, {"b=y"}}, []string{"a=x", "b=y"}},
		{"pipe, device", [][]string{{"@640 p|", "@600 d!", "d2!", "e/", "e!"}}, []string{"@600 d=", "d2=", "e=", "@640 p|"}},
		{"modes", [][]string{{"@4755 s=x", "@1777 t/", "@2755 g/", "@0 f=x"}}, []string{"@0 f=x", "@2755 g/", "@4755 s=x", "@1777 t/"}},
		{"closed directories", [][]string{{"@555 r/", "@0 z/", "r/a=1", "@0 z/y/", "z/y/b=2"}, {"r/c=3", "z/.wh.y", "z/d=4"}},
			[]string{"@555 r/", "r/a=1", "r/c=3", "@0 z/", "z/d=4"}},
		{"holes", [][]string{{"a~text", "b~"}}, []string{"a=text", "b="}},

		{"whiteout", [][]string{{"a=1", "d/e/f=2", "d/g=3"}, {".wh.a", "d/.wh.e"}}, []string{"d/", "d/g=3"}},
		{"whiteout of nothing", [][]string{{"a=1"}, {".wh.b", "x/y/.wh.b", "a/.wh.b", "a/b/.wh..wh..opq"}}, []string{"a=1"}},
		{"whiteout of a link", [][]string{{"d/f=1", "l -> d", "m -> d"}, {".wh.l", "m/.wh.f"}}, []string{"d/", "m -> d"}},
		{"whiteout and the same again", [][]string{{"a=1", "d/old=1"}, {".wh.a", "a=2", ".wh.d", "d/new=2"}}, []string{"a=2", "d/", "d/new=2"}},
		{"whiteout behind", [][]string{{"a=1", "d/old=1", "d/e/old=1"}, {"a=2", ".wh.a", "d/new=2", "d/e/new=2", ".wh.d"}},
			[]string{"a=2", "d/", "d/e/", "d/e/new=2", "d/new=2"}},
		{"whiteout of a directory said again", [][]string{{"d/old=1"}, {"d/", ".wh.d"}}, []string{"d/"}},
		{"whiteout of a hard link's name", [][]string{{"a=1"}, {"b => a", ".wh.a", ".wh.b"}}, []string{"b=1"}},
		{"opaque", [][]string{{"d/a=1", "d/b/c=1", "e=1"}, {"d/.wh..wh..opq", "d/n=2"}}, []string{"d/", "d/n=2", "e=1"}},
		{"opaque behind", [][]string{{"d/a=1", "d/b/c=1"}, {"d/n=2", "d/b/n=2", "d/.wh..wh..opq"}}, []string{"d/", "d/b/", "d/b/n=2", "d/n=2"}},
		{"opaque top", [][]string{{"d/a=1", "e=1"}, {"n=2", ".wh..wh..opq"}}, []string{"n=2"}},
		{"opaque through a link", [][]string{{"d/a=1", "l -> /d"}, {"l/.wh..wh..opq"}}, []string{"d/", "l -> /d"}},
		{"marks of the first layer", [][]string{{"a=1", ".wh.a", ".wh..wh..opq"}}, []string{"a=1"}},
		{"three layers", [][]string{{"a=1", "b=1"}, {"b=2", ".wh.a"}, {".wh.b", "a=3"}}, []string{"a=3"}},
	} {
		for _, user := range users(t) {
			t.Run(c.name+" by "+user.name, func(t *testing.T) {
				dir := user.become(t)
				err := unpack(dir, c.layers...)
				user.back(t)
				must(t, err)
				if got := shown(t, dir); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(c.want))) {
					t.Errorf("got %q, want %q", got, c.want)
				}
				user.again(t)
				must(t, RemoveAll(dir))
				user.back(t)
				if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("removed, and %v", err)
				}
			})
		}
	}
}

// as is somebody who unpacks. Root may do more than anybody else, so root does it as somebody else,
// too.
type as struct {
	name string
	id   int // of the file system's user; 0: whoever runs this
}

func users(t testing.TB) []as {
	if os.Getuid() != 0 {
		return []as{{name: "oneself"}}
	}
	return []as{{name: "root"}, {"somebody", 65534}}
}

// become makes the goroutine's thread that user's, which ends with it, and makes a directory of the
// user's.
func (u as) become(t testing.TB) string {
	t.Helper()
	above := t.TempDir()
	dir := above + "/tree"
	must(t, os.Mkdir(dir, 0o755))
	if u.id != 0 {
		must(t, os.Chown(above, u.id, u.id))
		must(t, os.Chown(dir, u.id, u.id))
		must(t, os.Chmod(filepath.Dir(above), 0o755))
		runtime.LockOSThread()
		must(t, unix.Setfsuid(u.id))
	}
	return dir
}

func (u as) back(t testing.TB) {
	if u.id != 0 {
		must(t, unix.Setfsuid(0))
	}
}

func (u as) again(t testing.TB) {
	if u.id != 0 {
		must(t, unix.Setfsuid(u.id))
	}
}

// What is refused, by an error that is no other.
func TestRefused(t *testing.T) {
	deep := strings.Repeat("d/", maxDepth)
	for entry, want := range map[string]error{
		". -> a":                                 errRoot,
		"/=x":                                    errRoot,
		"b => .":                                 unix.EPERM,
		"b => ../..":                             unix.EPERM,
		"b => none":                              unix.ENOENT,
		"b => no/ne":                             unix.ENOENT,
		"b => d":                                 unix.EISDIR,
		"d => d/f":                               unix.ENOENT,
		"loop/x=1":                               unix.ELOOP,
		"zig/x=1":                                unix.ELOOP,
		deep + "f=1":                             unix.ENAMETOOLONG,
		strings.Repeat("x", 256) + "=1":          unix.ENAMETOOLONG,
		strings.Repeat("x", 256) + "/y=1":        unix.ENAMETOOLONG,
		strings.Repeat("0123456789/", 400) + "=": unix.ENAMETOOLONG,
		"b -> " + strings.Repeat("x", 4096):      unix.ENAMETOOLONG,
		".wh...":                                 errMark,
		".wh..":                                  errMark,
		".wh.":                                   errMark,
		"d/.wh...":                               errMark,
		"d/.wh..":                                errMark,
	} {
		above := t.TempDir()
		dir := above + "/tree"
		must(t, os.Mkdir(dir, 0o755))
		err := unpack(dir, []string{"d/", "d/f=x", "loop -> /loop", "zig -> " + strings.Repeat("d/../", 600), "f=1"}, []string{entry})
		if !errors.Is(err, want) {
			t.Errorf("%.30s: got %v, want %v", entry, err, want)
		}
	}
}

// What an archive makes is bounded, whatever its size.
func TestLimits(t *testing.T) {
	for text, c := range map[string]struct {
		begin func(*Tree, *tar.Header)
		entry string
	}{
		"a/: more than 2097152 files":                        {func(tr *Tree, _ *tar.Header) { tr.files = maxFiles }, "a/"},
		"a/b/c: more than 2097152 files":                     {func(tr *Tree, _ *tar.Header) { tr.files = maxFiles - 2 }, "a/b/c="},
		"a: files with holes that are larger than 1 TiB":     {func(tr *Tree, _ *tar.Header) { tr.sparse = maxSparse }, "a~x"},
		"a/b/c: paths and links of more than 67108864 names": {func(tr *Tree, _ *tar.Header) { tr.walked = maxWalked - 1 }, "a/b/c="},
		"a: entry of the unknown type 'M'":                   {func(_ *Tree, h *tar.Header) { h.Typeflag = 'M' }, "a="},
		"a: after 1 of 9 bytes: unexpected EOF":              {func(_ *Tree, h *tar.Header) { h.Size = 9 }, "a=x"},
		"a: files with holes that are larger than 1 TiB ":    {func(_ *Tree, h *tar.Header) { h.Size = 1<<63 - 1 }, "a~x"},
	} {
		tree, err := Open(t.TempDir())
		must(t, err)
		h, content := header(c.entry)
		tree.layer = 1
		c.begin(tree, h)
		if err := tree.next(h, strings.NewReader(content)); err == nil || !strings.HasPrefix(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
		must(t, tree.Close())
	}
}

// Times are those of the archive, those of directories and links too, and of extended attributes a
// user's own are kept.
func TestTimesAndAttributes(t *testing.T) {
	dir := t.TempDir()
	err := unpack(dir, []string{"./", "d/", "d/f=x", "l -> d", "p|"}, []string{"d/g=x", "d/.wh.f"})
	must(t, err)
	for _, name := range []string{".", "d", "d/g", "l", "p"} {
		var st unix.Stat_t
		must(t, unix.Lstat(filepath.Join(dir, name), &st))
		if st.Mtim.Sec != 1e9 || st.Mtim.Nsec != 0 {
			t.Errorf("%s: got the time %d, want 1000000000", name, st.Mtim.Sec)
		}
	}
	tree, err := Open(t.TempDir())
	must(t, err)
	defer tree.Close()
	tree.layer = 1
	get := func(name string) string {
		fd, err := openat(tree.root.fd, name, unix.O_RDONLY)
		must(t, err)
		defer unix.Close(fd)
		b := make([]byte, 4096)
		n, err := unix.Flistxattr(fd, b)
		must(t, err)
		return string(b[:n])
	}
	for _, c := range []struct {
		entry, has string
		given      []string
	}{
		{"f=x", "user.a\x00", []string{"user.a", "security.capability", "trusted.b", "system.posix_acl_access"}},
		{"d/", "user.a\x00", []string{"user.a"}},
		{"d/", "user.b\x00", []string{"user.b"}},
	} {
		h, content := header(c.entry)
		h.PAXRecords = map[string]string{}
		for _, name := range c.given {
			h.PAXRecords["SCHILY.xattr."+name] = "value"
		}
		must(t, tree.next(h, strings.NewReader(content)))
		if got := get(strings.Trim(h.Name, "/")); got != c.has {
			t.Errorf("%s: got the attributes %q, want %q", c.entry, got, c.has)
		}
	}
}
