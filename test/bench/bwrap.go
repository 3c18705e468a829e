package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/internal/layout"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// sameMounts returns the bwrap command that builds the root which the launcher builds: the
// operations of package layout for the runtime and the user's surroundings, and the plan's own
// below capsule.Dir.
func sameMounts(as func(string, ...string) *exec.Cmd, binary string, dirs, env []string, home string) ([]string, error) {
	var plan struct {
		Mounts []mount.Op `json:"mounts"`
	}
	var built struct {
		Directory string `json:"directory"`
	}
	if err := decode(as(binary, "plan", "--runtime", dirs[0], "--host", dirs[1], "--json"), &plan); err != nil {
		return nil, err
	}
	if err := decode(as(binary, "build", "--runtime", dirs[0], "--host", dirs[1], "--json"), &built); err != nil {
		return nil, err
	}
	top, err := layout.ReadTree(dirs[0])
	if err != nil {
		return nil, err
	}
	ops, err := layout.Compose(layout.Input{Top: top, Host: layout.Gather(env, home),
		Capsule: capsule.PlaceMounts(plan.Mounts, built.Directory), LdSoCache: built.Directory + "/" + build.LdSoCache})
	if err != nil {
		return nil, err
	}
	return bwrap(ops, home)
}

func decode(cmd *exec.Cmd, into any) error {
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, errs.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return nil
}

// bwrap writes operations as bwrap's options. Its binds are always recursive. Files that it shall make are written below dir and
// bound: what it makes itself it reads from a descriptor, which is empty at the second start.
func bwrap(ops []mount.Op, dir string) ([]string, error) {
	args := []string{"bwrap"}
	for _, op := range ops {
		switch op.Kind {
		case mount.Dir:
			if op.Mode != 0 {
				args = append(args, "--perms", fmt.Sprintf("%o", op.Mode))
			}
			args = append(args, "--dir", op.Target)
		case mount.Room:
			room, err := roomOfLinks(ops, op.Target)
			if err != nil {
				return nil, err
			}
			args = append(args, room...)
		case mount.Tmpfs:
			args = append(args, "--tmpfs", op.Target)
		case mount.Symlink:
			args = append(args, "--symlink", op.Text, op.Target)
		case mount.Bind:
			option := "--bind"
			switch {
			case op.ReadOnly:
				option = "--ro-bind"
			case slices.Contains([]string{"/dev", "/proc", "/sys"}, op.Target):
				option = "--dev-bind"
			}
			if op.Optional {
				if _, err := os.Stat(op.Source); err != nil {
					continue
				}
			}
			args = append(args, option, op.Source, op.Target)
		case mount.File:
			name := filepath.Join(dir, fmt.Sprintf("file-%d", len(args)))
			if err := os.WriteFile(name, []byte(op.Text), 0o644); err != nil {
				return nil, err
			}
			args = append(args, "--ro-bind", name, op.Target)
		case mount.Seal:
			args = append(args, "--remount-ro", op.Target)
		default:
			return nil, fmt.Errorf("bwrap has nothing for: %s", op)
		}
	}
	return append(args, "--chdir", dir, "--"), nil
}

// roomOfLinks is what comes nearest to a room in a bwrap that has no overlays (before 0.11), and as
// cheap: a tmpfs with a link for each entry of the directory, which is bound elsewhere.
func roomOfLinks(ops []mount.Op, target string) ([]string, error) {
	var source string
	for _, op := range ops {
		if below, ok := strings.CutPrefix(target+"/", op.Target+"/"); ok && op.Kind == mount.Bind {
			source = filepath.Join(op.Source, below)
		}
	}
	if source == "" {
		return []string{"--dir", target}, nil
	}
	elsewhere := "/run/rooms" + target
	args := []string{"--ro-bind", source, elsewhere, "--tmpfs", target}
	entries, err := os.ReadDir(source)
	for _, e := range entries {
		at, text := target+"/"+e.Name(), elsewhere+"/"+e.Name()
		if slices.ContainsFunc(ops, func(op mount.Op) bool { return strings.HasPrefix(op.Target+"/", at+"/") }) {
			continue
		}
		if e.Type()&os.ModeSymlink != 0 {
			if text, err = os.Readlink(filepath.Join(source, e.Name())); err != nil {
				return nil, err
			}
		}
		args = append(args, "--symlink", text, at)
	}
	return args, err
}
