package layout

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// Error is a layout that cannot be, with what to do about it.
type Error struct{ Msg, Hint string }

func (e *Error) Error() string { return e.Msg }

// HintText returns the hint.
func (e *Error) HintText() string { return e.Hint }

// notRuntime are top-level names that never come from the runtime: the host's, ours, or of no use to a program.
var notRuntime = []string{"boot", "dev", "etc", "home", "lost+found", "media", "mnt", "proc", "root", "run", "sys", "tmp", "var"}

// capsuleDir is where everything of ours lies in the new root. It is a directory of the runtime's
// /usr/lib, because sandboxes that programs make for themselves show /usr and /etc with all that is
// mounted there, and hide /run.
const (
	capsuleDir = capsule.Dir
	libDir     = "/usr/lib"
)

// Compose returns the operations that build the root, in order. The game's working directory inside is Host.Cwd: a
// layout in which that cannot exist is an error.
func Compose(in Input) ([]mount.Op, error) {
	c := &composer{in: in, top: map[string]Top{}}
	if err := c.runtime(); err != nil {
		return nil, err
	}
	if err := c.hostShares(); err != nil {
		return nil, err
	}
	c.run()
	c.rooms()
	if len(in.Capsule) > 0 {
		c.add(mount.Op{Kind: mount.Tmpfs, Target: capsuleDir, Why: "what is ours"})
	}
	// As every distribution has them since the Filesystem Hierarchy Standard 3.0, chapter 5; images
	// may be older.
	c.add(mount.Op{Kind: mount.Symlink, Target: "/var/run", Text: "/run"})
	c.add(mount.Op{Kind: mount.Symlink, Target: "/var/lock", Text: "/run/lock"})
	c.mountShares()
	c.files()
	if len(in.Capsule) > 0 {
		c.ops = append(c.ops, in.Capsule...)
		c.add(mount.Op{Kind: mount.Seal, Target: capsuleDir, Why: "nobody adds to what is ours"})
	}
	if err := c.binds(); err != nil {
		return nil, err
	}
	return c.ops, nil
}

type composer struct {
	in  Input
	top map[string]Top // the runtime's, by name
	ops []mount.Op
	// shares are the host's directories that appear at their own path, each below none of the others, sorted.
	shares []share
	// inner are those that lie below a private home.
	inner []share
}

// share without a source is a new proc.
type share struct{ dir, source, why string }

func (c *composer) add(op mount.Op) { c.ops = append(c.ops, op) }

// fromRuntime says whether the top-level name is the runtime's, entirely.
func (c *composer) fromRuntime(name string) bool {
	_, ok := c.top[name]
	return ok && !slices.Contains(notRuntime, name)
}

// runtime binds the runtime's top-level directories and repeats its links.
func (c *composer) runtime() error {
	tops := slices.Clone(c.in.Top)
	slices.SortFunc(tops, func(a, b Top) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range tops {
		if !isName(t.Name) {
			return &Error{Msg: fmt.Sprintf("the runtime has an entry named %q", t.Name), Hint: "top-level names hold no slash"}
		}
		c.top[t.Name] = t
		switch {
		case slices.Contains(notRuntime, t.Name):
		case t.Link != "":
			c.add(mount.Op{Kind: mount.Symlink, Target: "/" + t.Name, Text: t.Link, Why: "as in the runtime"})
		default:
			c.add(mount.Op{Kind: mount.Bind, Source: t.Source, Target: "/" + t.Name, ReadOnly: true, Recursive: true, Why: "runtime"})
		}
	}
	return nil
}

func isName(s string) bool { return s != "" && s != "." && s != ".." && !strings.Contains(s, "/") }

// hostShares collects the host's directories and drops those that lie inside another one.
func (c *composer) hostShares() error {
	h := &c.in.Host
	var all []share
	for _, d := range hostDirs {
		switch {
		case c.fromRuntime(d[1:]):
		case d == "/proc" && c.in.OwnProc:
			all = append(all, share{dir: d, why: "the program's own processes"})
		case h.has(d):
			all = append(all, share{d, d, "host"})
		}
	}
	if err := c.privateHome(); err != nil {
		return err
	}
	// A home that cannot be shared is no reason to fail: many service users have one like /nonexistent or /usr/games.
	for _, d := range []string{h.Home, h.HomeReal} {
		if d != "" && d != "/" && c.refuse(d) == "" && c.in.PrivateHome == "" {
			all = append(all, share{d, d, "home directory"})
		}
	}
	if d := h.RuntimeDir; d != "" && d != "/" && c.refuse(d) == "" {
		all = append(all, share{d, d, "XDG_RUNTIME_DIR"})
	}
	all = c.split(all)
	c.shares = outermost(all)
	switch cwd := h.Cwd; {
	case !path.IsAbs(cwd):
		return &Error{Msg: "the working directory is gone, or lies outside the root directory", Hint: "change to a directory that exists"}
	case cwd == "/" || c.covered(cwd) || c.bound(cwd):
	default:
		if why := c.refuse(cwd); why != "" {
			return &Error{Msg: fmt.Sprintf("the working directory %s cannot exist inside: %s", cwd, why),
				Hint: "start from another directory, the home directory for example"}
		}
		c.shares = outermost(append(all, c.split([]share{{cwd, cwd, "working directory"}})...))
	}
	return nil
}

// refuse says why a directory of the host cannot appear at its own path, or returns "".
func (c *composer) refuse(dir string) string {
	first, _, below := strings.Cut(strings.TrimPrefix(dir, "/"), "/")
	switch {
	case c.fromRuntime(first):
		return "/" + first + " is the runtime's"
	case first == "etc":
		return "/etc is put together from the runtime's and the host's"
	case (first == "run" || first == "var") && !below:
		return dir + " is put together from the runtime's and the host's"
	case within(dir, capsuleDir) || within(capsuleDir, dir):
		return capsuleDir + " is ours"
	}
	return ""
}

// within says whether p is dir or lies below it.
func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

func outermost(all []share) []share {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b share) int { return strings.Compare(a.dir, b.dir) })
	var out []share
	for _, s := range all {
		if !slices.ContainsFunc(out, func(o share) bool { return within(s.dir, o.dir) }) {
			out = append(out, s)
		}
	}
	return out
}

func (c *composer) covered(p string) bool {
	if c.belowPrivateHome(p) {
		return slices.ContainsFunc(c.inner, func(s share) bool { return within(p, s.dir) })
	}
	if slices.Contains(c.privateHomes(), p) {
		return true
	}
	return slices.ContainsFunc(c.shares, func(s share) bool { return within(p, s.dir) })
}

func (c *composer) bound(p string) bool {
	return slices.ContainsFunc(c.in.Binds, func(b Bind) bool { return within(p, path.Clean(b.dst())) })
}

func (b Bind) dst() string {
	if b.Dst == "" {
		return b.Src
	}
	return b.Dst
}

// run makes /run.
func (c *composer) run() {
	dir := func(p string, mode uint32, why string) {
		c.add(mount.Op{Kind: mount.Dir, Target: p, Mode: mode, Why: why})
	}
	dir("/run", 0o755, "")
	dir("/run/lock", 0o1777, "/var/lock leads here")
	if c.in.Host.RuntimeDir == "" {
		dir(fmt.Sprintf("/run/user/%d", c.in.Host.UID), 0o700, "the host has no XDG_RUNTIME_DIR")
	}
	for _, p := range hostRun {
		if c.in.Host.has(p) && !c.covered(p) {
			c.add(mount.Op{Kind: mount.Bind, Source: p, Target: p, Recursive: true, Optional: true, ReadOnly: p != systemBus, Why: "host"})
		}
	}
	c.looks()
}

// rooms binds the runtime's /etc and /var, and makes room there and wherever else something of the
// host, of the plan or of the user lies in a directory of the runtime. It comes after run, because
// links of the runtime lead to /run.
func (c *composer) rooms() {
	for _, name := range []string{"etc", "var"} {
		if t := c.top[name]; t.Source != "" {
			c.add(mount.Op{Kind: mount.Bind, Source: t.Source, Target: "/" + name, ReadOnly: true, Recursive: true, Why: "runtime"})
		}
	}
	room := func(dir, why string) { c.add(mount.Op{Kind: mount.Room, Target: dir, Why: why}) }
	if len(c.in.Capsule) > 0 {
		room(libDir, "what is ours lies there")
	}
	room("/etc", "some of it is the host's, or ours")
	room("/var", "some of it is the host's")
	for _, name := range openable {
		if slices.ContainsFunc(c.in.Binds, func(b Bind) bool { return b.Missing && within(path.Clean(b.dst()), "/"+name) }) {
			room("/"+name, "the user wants something there that the runtime does not have")
		}
	}
}

func (c *composer) mountShares() {
	for _, s := range c.shares {
		if s.source == "" {
			c.add(mount.Op{Kind: mount.Proc, Target: s.dir, Why: s.why})
			continue
		}
		c.add(mount.Op{Kind: mount.Bind, Source: s.source, Target: s.dir, Recursive: true, Why: s.why})
	}
	c.mountPrivateHome()
	for _, p := range []string{"/tmp", "/var/tmp"} { // a host without them is odd, a program without them does not run
		if !c.covered(p) {
			c.add(mount.Op{Kind: mount.Dir, Target: p, Mode: 0o1777})
		}
	}
}

const ldSoCache = "/etc/ld.so.cache"

// files binds single files: of the host's /etc, the loader cache, and what the environment names outside of the shares.
func (c *composer) files() {
	for _, name := range hostEtc {
		if p := "/etc/" + name; c.in.Host.has(p) {
			c.add(mount.Op{Kind: mount.Bind, Source: p, Target: p, ReadOnly: true, Why: "host: describes the machine and its users"})
		}
	}
	if c.in.LdSoCache != "" {
		c.add(mount.Op{Kind: mount.Bind, Source: c.in.LdSoCache, Target: ldSoCache, ReadOnly: true, Why: "the loader finds the stubs by it"})
	}
	named := c.in.Host.Files
	if c.in.PrivateHome != "" {
		named = slices.Compact(slices.Sorted(slices.Values(slices.Concat(named, c.in.Host.HomeFiles))))
	}
	for _, p := range named {
		if !c.covered(p) && !slices.Contains(hostRun, p) && c.refuse(p) == "" {
			c.add(mount.Op{Kind: mount.Bind, Source: p, Target: p, Optional: true, Why: "named by the environment"})
		}
	}
}

// binds adds the user's own, last, so that they win.
func (c *composer) binds() error {
	for _, b := range c.in.Binds {
		dst := b.dst()
		if !path.IsAbs(b.Src) || !path.IsAbs(dst) {
			return &Error{Msg: fmt.Sprintf("%s %s:%s: paths must be absolute", b.flag(), b.Src, dst), Hint: "write both paths with a leading slash"}
		}
		dst = path.Clean(dst)
		if dst == "/" || within(dst, capsuleDir) || within(capsuleDir, dst) || c.fromRuntime(dst[1:]) || dst == "/etc" || dst == "/run" {
			return &Error{Msg: fmt.Sprintf("%s %s:%s: the target would hide what makes the launch work", b.flag(), b.Src, dst),
				Hint: "choose another target, /NAME for example"}
		}
		c.add(mount.Op{Kind: mount.Bind, Source: b.Src, Target: dst, ReadOnly: b.ReadOnly, Recursive: true, Why: b.flag()})
		if link := path.Clean(b.Link); b.Link != "" && link != dst && !c.covered(link) && c.refuse(link) == "" {
			c.add(mount.Op{Kind: mount.Bind, Source: b.Src, Target: link, ReadOnly: b.ReadOnly, Recursive: true, Why: b.flag()})
		}
	}
	return nil
}
