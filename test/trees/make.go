package trees

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// Get returns the root of the named tree, made if it is not in the cache yet.
func Get(ctx context.Context, name string) (string, error) {
	r, err := Lookup(name)
	if err != nil {
		return "", err
	}
	hash, err := r.hash()
	if err != nil {
		return "", err
	}
	return once(ctx, r.Name, hash, r.fill)
}

// GetAll makes the named trees, at most maxBuilds at a time, and returns all that failed as one error.
func GetAll(ctx context.Context, names []string) error {
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, errs[i] = Get(ctx, name)
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (r Recipe) fill(ctx context.Context, dir string) error {
	if r.From != "" {
		from, err := Get(ctx, r.From)
		if err != nil {
			return err
		}
		if err := linkTree(ctx, from, dir); err != nil {
			return err
		}
	} else if err := r.bootstrap(ctx, dir); err != nil {
		return err
	}
	if r.Variant == "extract" {
		if err := configure(dir); err != nil {
			return fmt.Errorf("complete the tree: %w", err)
		}
	}
	if r.MergedUsr {
		for _, link := range []string{"lib", "bin", "sbin"} {
			if err := os.MkdirAll(filepath.Join(dir, "usr", link), 0o755); err != nil {
				return fmt.Errorf("merge /usr: %w", err)
			}
			if err := os.Symlink("usr/"+link, filepath.Join(dir, link)); err != nil {
				return fmt.Errorf("merge /usr: %w", err)
			}
		}
	}
	if err := prune(dir, r.Prune); err != nil {
		return err
	}
	if r.Ldconfig {
		if err := ldconfig(ctx, dir); err != nil {
			return err
		}
	}
	return openForOthers(dir)
}

// configure makes what the scripts of base-files, base-passwd and dash would, as far as we use it.
func configure(dir string) error {
	for _, d := range []string{"etc", "mnt", "usr/local/lib"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "bin/dash")); err == nil {
		if err := os.Symlink("dash", filepath.Join(dir, "bin/sh")); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for _, name := range []string{"passwd", "group"} {
		text, err := os.ReadFile(filepath.Join(dir, "usr/share/base-passwd", name+".master"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "etc", name), text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Copy fills the empty directory to with hard links to the files of a tree. Files of the copy may be
// removed and replaced by others, never written in place.
func Copy(ctx context.Context, from, to string) error { return linkTree(ctx, from, to) }

func linkTree(ctx context.Context, from, to string) error {
	out, err := exec.CommandContext(ctx, "cp", "-al", from+"/.", to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copy %s by hard links: %w\n%s", from, err, lastLines(string(out), 5))
	}
	return nil
}

func prune(root string, patterns []string) error {
	for _, p := range patterns {
		if !strings.Contains(p, "/") {
			continue
		}
		if err := removeTree(filepath.Join(root, p)); err != nil {
			return fmt.Errorf("prune %s: %w", p, err)
		}
	}
	for _, top := range []string{"lib*", "usr/lib*", "usr/local/lib*"} {
		tops, err := filepath.Glob(filepath.Join(root, top))
		if err != nil {
			return err
		}
		for _, dir := range tops {
			// A merged-/usr tree has lib as a link to usr/lib, which WalkDir does not follow.
			err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				for _, p := range patterns {
					if ok, err := path.Match(p, d.Name()); err != nil {
						return err
					} else if ok && file != dir {
						return os.Remove(file)
					}
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("prune: %w", err)
			}
		}
	}
	return nil
}

// ldconfig runs the tree's own ldconfig, which writes a new file and renames it: hard links stay as they are.
func ldconfig(ctx context.Context, root string) error {
	args := []string{"--unshare-user", "--uid", "0", "--gid", "0", "--bind", root, "/", "--proc", "/proc", "--dev", "/dev",
		"--clearenv"}
	emulator, err := emulate(root)
	if err != nil {
		return err
	}
	args = append(args, emulator.bind...)
	args = append(args, "--")
	args = append(args, emulator.command...)
	cmd := exec.CommandContext(ctx, "bwrap", append(args, "/sbin/ldconfig")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("regenerate ld.so.cache: %w\n%s", err, lastLines(string(out), 5))
	}
	return nil
}

// openForOthers lets every user read the tree: a release has directories like /root that only root may enter,
// and the launcher is tested as an ordinary user too.
func openForOthers(root string) error {
	return filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := info.Mode().Perm() | 0o444
		if info.IsDir() {
			want |= 0o111
		}
		if want == info.Mode().Perm() || (!info.IsDir() && !info.Mode().IsRegular()) {
			return nil
		}
		return os.Chmod(file, want)
	})
}
