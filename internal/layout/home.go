package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/internal/mount"
)

// privateHomes are the places at which a private home appears: none without one.
func (c *composer) privateHomes() []string {
	if c.in.PrivateHome == "" {
		return nil
	}
	h := &c.in.Host
	if h.HomeReal == h.Home || h.HomeReal == "" {
		return []string{h.Home}
	}
	return []string{h.Home, h.HomeReal}
}

func (c *composer) belowPrivateHome(p string) bool {
	return slices.ContainsFunc(c.privateHomes(), func(h string) bool { return p != h && within(p, h) })
}

// privateHome refuses a private home that nothing can make appear.
func (c *composer) privateHome() error {
	for _, h := range c.privateHomes() {
		if h == "" || h == "/" {
			return &Error{Msg: "--home: the user has no home directory in whose place it could stand",
				Hint: "set HOME to an absolute path, /home/NAME for example"}
		}
		if why := c.refuse(h); why != "" {
			return &Error{Msg: fmt.Sprintf("--home: a private home cannot stand at %s: %s", h, why),
				Hint: "set HOME to another path, /home/NAME for example"}
		}
	}
	return nil
}

// split keeps those of shares that lie below the private home apart: they are mounted after it.
func (c *composer) split(shares []share) []share {
	var outside []share
	for _, s := range shares {
		if c.belowPrivateHome(s.dir) {
			c.inner = outermost(append(c.inner, s))
		} else {
			outside = append(outside, s)
		}
	}
	return outside
}

func (c *composer) mountPrivateHome() {
	for _, h := range c.privateHomes() {
		c.add(mount.Op{Kind: mount.Bind, Source: c.in.PrivateHome, Target: h, Recursive: true, Why: "--home"})
	}
	for _, s := range c.inner {
		c.add(mount.Op{Kind: mount.Bind, Source: s.source, Target: s.dir, Recursive: true, Why: s.why})
	}
}

// MakeHome makes the private home of in if it is missing, and in it what ops mount something on: an empty directory or
// an empty file each. A link that leads out of it is not followed, for a program may have left one there.
func MakeHome(in *Input, ops []mount.Op) error {
	dir := in.PrivateHome
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the private home: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the private home: %w", err)
	}
	defer root.Close()
	c := &composer{in: *in}
	for _, op := range ops {
		if op.Kind != mount.Bind || !c.belowPrivateHome(op.Target) {
			continue
		}
		st, err := os.Stat(op.Source)
		if err != nil {
			continue // whoever mounts it says so, or leaves it out
		}
		for _, h := range c.privateHomes() {
			if rel, ok := strings.CutPrefix(op.Target, h+"/"); ok {
				if err := makePoint(root, rel, st.IsDir()); err != nil {
					return fmt.Errorf("make a place for %s in the private home %s: %w", op.Target, dir, err)
				}
			}
		}
	}
	return nil
}

// makePoint makes a directory or a file for a mount, with the directories above it, where nothing is yet.
func makePoint(root *os.Root, name string, isDir bool) error {
	if _, err := root.Stat(name); err == nil {
		return nil
	}
	if up := path.Dir(name); up != "." {
		if err := makePoint(root, up, true); err != nil {
			return err
		}
	}
	if isDir {
		if err := root.Mkdir(name, 0o700); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}
