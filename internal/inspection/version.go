package inspection

import (
	"bytes"
	"io"
	"path"

	"github.com/capsule-run/capsule-run/hostlibs"
	"github.com/capsule-run/capsule-run/internal/pattern"
)

var (
	// inName is "1.7.0" in libGL.so.1.7.0, "25.0.7-2" in libgallium-25.0.7-2.so.
	inName = pattern.Lazy(`(?:\.so\.|-)([0-9]+(?:\.[0-9]+)+[0-9A-Za-z.+~-]*?)(?:\.so)?$`)
	// unversioned is what libtool calls a library without a version of its own: libEGL_mesa.so.0.0.0.
	unversioned = pattern.Lazy(`^[0-9](\.0)+$`)
	// inText is what Mesa's drivers say of themselves. What a distribution adds to it may be cut off, where the compiler
	// has split the text.
	inText = pattern.Lazy(`^Mesa ([0-9]{1,3}(?:\.[0-9]{1,3}){1,2})`)
)

// fileVersion is the version that a file's name has, empty if it has none but the SONAME's number.
func fileVersion(p string) string {
	if m := inName().FindStringSubmatch(path.Base(p)); m != nil && !unversioned().MatchString(m[1]) {
		return m[1]
	}
	return ""
}

// version is a library's: in its name, in that of Mesa's common library, or in its text. Dependencies are not searched, for
// they are many, and large.
func (m *maker) version(l *hostlibs.Library) string {
	if v, known := m.versions[l]; known {
		return v
	}
	v := fileVersion(l.Path)
	if v == "" {
		v = gallium(l.Deps)
	}
	if v == "" && l.Role != hostlibs.RoleDependency && l.Role != hostlibs.RoleRequested && l.Role != hostlibs.RoleFrontEnd {
		v = m.textVersion(l.Path)
		if ok, _ := path.Match("*_dri.so", path.Base(l.Path)); v == "" && ok {
			v = gallium(m.Stack.Libraries) // since 24.2 these only lead there
		}
	}
	m.versions[l] = v
	return v
}

// gallium is the version of Mesa's common library, which has it in its name.
func gallium(libraries []*hostlibs.Library) string {
	for _, l := range libraries {
		if ok, _ := path.Match("libgallium-*.so", path.Base(l.Path)); ok {
			return fileVersion(l.Path)
		}
	}
	return ""
}

// maxText is how much of a library is searched, in bytes; drivers are some 20 MB.
const maxText = 256 << 20

func (m *maker) textVersion(p string) string {
	f, err := m.Stack.Root.OpenFile(p)
	if err != nil {
		return ""
	}
	defer f.Close()
	return search(io.LimitReader(f, maxText))
}

// search reads a file in pieces that overlap by more than a version is long.
func search(r io.Reader) string {
	const piece, overlap = 256 << 10, 64
	b := make([]byte, 0, piece+overlap)
	for {
		n, err := io.ReadFull(r, b[len(b):cap(b)])
		b = b[:len(b)+n]
		end := len(b) - overlap // a version that begins later is read again with the next piece
		if err != nil {
			end = len(b)
		}
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], []byte("Mesa "))
			if i < 0 || at+i >= end {
				break
			}
			at += i
			if m := inText().FindSubmatch(b[at:min(len(b), at+overlap)]); m != nil {
				return string(m[1])
			}
		}
		if err != nil {
			return ""
		}
		b = b[:copy(b, b[len(b)-overlap:])]
	}
}
