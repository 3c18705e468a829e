package doctor

import (
	"cmp"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/pattern"
)

// privacy takes out of a report what tells who the user is: a report is made to be shown to strangers.
type privacy struct {
	homes []string // cleaned absolute paths, the longest first
	names []name
	tmp   string
}

// name is a word that becomes another.
type name struct{ word, with string }

// privacy of this user on this machine.
func (d *doctor) privacy() *privacy {
	homes := []string{d.Getenv("HOME"), d.Home}
	var users []string
	if u, err := user.Current(); err == nil {
		homes, users = append(homes, u.HomeDir), append(users, u.Username)
	}
	for _, v := range []string{"USER", "LOGNAME", "SUDO_USER"} {
		users = append(users, d.Getenv(v))
	}
	var hosts []string
	if h, err := os.Hostname(); err == nil {
		short, _, _ := strings.Cut(h, ".")
		hosts = append(hosts, h, short)
	}
	for _, h := range homes {
		if real, err := filepath.EvalSymlinks(h); err == nil && h != "" {
			homes = append(homes, real)
		}
	}
	return newPrivacy(homes, users, hosts, d.tmp)
}

func newPrivacy(homes, users, hosts []string, tmp string) *privacy {
	p := &privacy{tmp: tmp}
	for _, h := range homes {
		if h = filepath.Clean(h); filepath.IsAbs(h) && !slices.Contains(p.homes, h) && !common[strings.TrimPrefix(h, "/")] && h != "/" {
			p.homes = append(p.homes, h)
		}
	}
	longest := func(a, b string) int { return cmp.Compare(len(b), len(a)) }
	slices.SortStableFunc(p.homes, longest)
	for _, list := range []struct {
		words []string
		with  string
	}{{hosts, "HOST"}, {users, "USER"}} {
		for _, w := range list.words {
			// One that says nothing, or that system directories and our own texts are full of, stays: it is taken out
			// where only a user's name can be (below /home).
			if len(w) > 1 && !common[strings.ToLower(w)] && !slices.ContainsFunc(p.names, func(n name) bool { return n.word == w }) {
				p.names = append(p.names, name{w, list.with})
			}
		}
	}
	slices.SortStableFunc(p.names, func(a, b name) int { return longest(a.word, b.word) })
	return p
}

// common are names of users and hosts that give nobody away and are parts of what a report is about.
var common = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`bin boot dev etc games home lib lib32 lib64 local mail media mnt opt proc root run sbin share
		srv sys tmp usr var usr/lib usr/bin usr/games usr/local usr/share var/lib var/run var/tmp var/empty nonexistent bash daemon
		nobody user users guest host localhost localdomain linux debian ubuntu fedora arch archlinux gentoo nixos steamos
		capsule capsule-run doctor runtime runtimes driver drivers device devices native frontend boundary plan scene scenes
		mesa nvidia intel radeon nouveau vulkan opencl opengl wayland x11 egl glx gl gles cuda vaapi vdpau glvnd gallium llvmpipe
		lavapipe libc glibc pthread drirc icd host13 x86_64 i386 aarch64 amd64 gnu same fails the and for that which with not
		library libraries file files program programs test`) {
		m[w] = true
	}
	return m
}()

// report takes it out of every string of a report.
func (p *privacy) report(r *report.Report) {
	if r.Stack != nil && r.Stack.Devices != nil {
		for _, g := range r.Stack.Devices.GPUs {
			g.UUID = ""
		}
	}
	p.walk(reflect.ValueOf(r))
}

// walk changes what a pointer leads to. Unexported fields are in no output.
func (p *privacy) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() && v.Elem().Kind() != reflect.String {
			p.walk(v.Elem())
		} else if !v.IsNil() && v.Kind() == reflect.Pointer {
			p.walk(v.Elem())
		} else if !v.IsNil() && v.CanSet() {
			v.Set(reflect.ValueOf(p.text(v.Elem().String())))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				p.walk(v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // a picture
		}
		for i := range v.Len() {
			p.walk(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(k))
			p.walk(element)
			v.SetMapIndex(k, reflect.Value{})
			if k.Kind() == reflect.String {
				k = reflect.ValueOf(p.text(k.String())).Convert(k.Type())
			}
			v.SetMapIndex(k, element)
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(p.text(v.String()))
		}
	}
}

var (
	// others are directories whose entries are named after users.
	others = pattern.Lazy(`(/(?:var/)?home/|/run/media/|/media/|/Users/)[^/\s:;,"'()\[\]<>]+`)
	// numbered are those by a user's number: XDG_RUNTIME_DIR, and our own temporary ones.
	numbered = pattern.Lazy(`(/run/user/|/capsule-run-)[0-9]+`)
	// uuid is RFC 9562's form; a GPU's has a prefix.
	uuid = pattern.Lazy(`(?i)\b(?:GPU-|MIG-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
)

// text takes it out of a string.
func (p *privacy) text(s string) string {
	if p.tmp != "" {
		s = replacePath(s, p.tmp, "/tmp/capsule-doctor")
	}
	for _, h := range p.homes {
		s = replacePath(s, h, "~")
	}
	s = replacePath(s, "/root", "~")
	if strings.Contains(s, "home/") || strings.Contains(s, "media/") || strings.Contains(s, "/Users/") {
		s = others().ReplaceAllStringFunc(s, func(m string) string {
			dir := m[:strings.LastIndexByte(m, '/')+1]
			return dir + "USER"
		})
		for _, dir := range []string{"/home/USER", "/var/home/USER", "/Users/USER"} {
			s = replacePath(s, dir, "~")
		}
	}
	if strings.Contains(s, "/run/user/") || strings.Contains(s, "/capsule-run-") {
		s = numbered().ReplaceAllString(s, "${1}UID")
	}
	for _, n := range p.names {
		s = replaceWord(s, n.word, n.with)
	}
	if strings.Count(s, "-") >= 4 {
		s = uuid().ReplaceAllString(s, "UUID")
	}
	return s
}

// replacePath replaces an absolute path, and the beginning of those below it, where a path begins.
func replacePath(s, dir, with string) string {
	return replace(s, dir, with, func(before, after rune) bool {
		return (!inName(before) && before != '/' && before != '~') && (!inName(after) || after == 0)
	})
}

// replaceWord replaces a name where it is a word of its own: a short one only as a whole part of a path, for it may be a
// syllable of anything.
func replaceWord(s, word, with string) string {
	short := utf8.RuneCountInString(word) < 4
	return replace(s, word, with, func(before, after rune) bool {
		if short {
			return (before == '/' || after == '/') && !inName(before) && !inName(after)
		}
		return !alphanumeric(before) && !alphanumeric(after)
	})
}

// replace replaces those occurrences whose neighbours, 0 at the ends, are right.
func replace(s, old, with string, right func(before, after rune) bool) string {
	if !strings.Contains(s, old) {
		return s
	}
	var out strings.Builder
	for from := 0; ; {
		i := strings.Index(s[from:], old)
		if i < 0 {
			out.WriteString(s[from:])
			return out.String()
		}
		at := from + i
		end := at + len(old)
		if right(last(s[:at]), next(s[end:])) {
			out.WriteString(s[from:at] + with)
			from = end
			continue
		}
		_, n := utf8.DecodeRuneInString(s[at:])
		out.WriteString(s[from : at+n])
		from = at + n
	}
}

func last(s string) rune {
	if s == "" {
		return 0
	}
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}

func next(s string) rune {
	if s == "" {
		return 0
	}
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func alphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// inName says whether a rune goes on with a file's name. A full stop may also end a sentence.
func inName(r rune) bool { return alphanumeric(r) || r == '_' || r == '-' || r == '.' }
