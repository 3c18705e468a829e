// Package build is the stage build: it turns a plan into the files that the container sees below
// Plan.Dir, and keeps them in a cache. It decides nothing: names, contents and order are the
// plan's.
//
//	<dir>/<triplet>/lib/        stubs, libcapsule.so, libcapsule-root.so, capsule.manifest
//	<dir>/<triplet>/proxy/      proxies
//	<dir>/<triplet>/manifests/  JSON by which the runtime's loaders find stubs, and each side's the other's layers; what
//	                            loaders are told a directory of is in <dir>/manifests/
//	<dir>/<triplet>/tools/      scripts that start the host's programs
//	<dir>/<triplet>/rewritten/  copies of host libraries that the runtime's ld.so could not load as they are
//	<dir>/ld.so.cache           what appears as the container's /etc/ld.so.cache
//	<dir>/plan.json             for people, and as the mark that the directory is complete
package build

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/dso"
	"github.com/capsule-run/capsule-run/capsule/manifest"
	"github.com/capsule-run/capsule-run/capsule/relr"
	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/internal/ldcache"
	"github.com/capsule-run/capsule-run/internal/regular"
)

// File names below an artefact directory; LibDir and ProxyDir are below an architecture's triplet there.
const (
	LibDir     = "lib"
	ProxyDir   = "proxy"
	LdSoCache  = "ld.so.cache"
	PlanFile   = "plan.json"
	RecordFile = "record"
)

// maxGenerated bounds what is generated for one plan, in bytes [4 MB, for a stack and a runtime of
// two architectures]: a runtime decides how much that is. Copies of the host's libraries do not
// count, which are as large as they are.
const maxGenerated = 64 << 20

// ErrTooLarge says that a plan has more to generate than any should.
var ErrTooLarge = errors.New("more than a build may have")

// IsTooLarge says of an error that the runtime has more of something than can be meant, and
// nothing is wrong with the cache.
func IsTooLarge(err error) bool {
	return errors.Is(err, ErrTooLarge) || errors.Is(err, dso.ErrTooLarge) || errors.Is(err, manifest.ErrTooLarge)
}

// output is what is to be written, by name.
type output struct {
	files map[string][]byte
	size  int
}

func (o *output) add(name string, b []byte) error {
	if o.size += len(b); o.size > maxGenerated {
		return fmt.Errorf("generate %s: %d bytes are %w", name, o.size, ErrTooLarge)
	}
	o.files[name] = b
	return nil
}

// Write puts a plan's files below dir, which must exist and be empty. What is there after an error is incomplete;
// plan.json is written last. With root the build is in place: it is for a process that sees it as that directory, and
// not below capsule.Dir.
func Write(plan *capsule.Plan, dir, root string) error {
	out := &output{files: map[string][]byte{}}
	for _, p := range plan.Architectures {
		a := p.Artefacts()
		if root != "" {
			a = moveArtefacts(a, root)
		}
		if err := generate(a, out); err != nil {
			return err
		}
	}
	cache, err := ldcache.Write(plan.Cache)
	if err != nil {
		return fmt.Errorf("generate ld.so.cache: %w", err)
	}
	text, err := JSON(plan)
	if err == nil {
		err = cmp.Or(out.add(LdSoCache, cache), out.add(PlanFile, text))
	}
	if err != nil {
		return err
	}
	delete(out.files, PlanFile) // it comes last
	for name, b := range out.files {
		if err := writeFile(dir, name, b); err != nil {
			return err
		}
	}
	for _, p := range plan.Architectures {
		if err := linkStubs(p.Artefacts(), dir); err != nil {
			return err
		}
	}
	// One after the other: a host's libraries are large.
	for _, p := range plan.Architectures {
		for _, r := range p.Artefacts().Rewritten {
			if err := rewrite(r, dir); err != nil {
				return err
			}
		}
	}
	if root != "" {
		if err := linkMounts(plan.Mounts, dir); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, PlanFile), text, 0o644); err != nil {
		return fmt.Errorf("write artefact: %w", err)
	}
	return nil
}

// below refuses a file that would lie elsewhere: a library's SONAME, of which its name is made, may be
// any text.
func below(name string) error {
	if !filepath.IsLocal(name) {
		return fmt.Errorf("write artefact: %q leads out of the build", name)
	}
	return nil
}

func writeFile(dir, name string, b []byte) error {
	if err := below(name); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
		return fmt.Errorf("create artefact directory: %w", err)
	}
	mode := os.FileMode(0o644)
	if filepath.Dir(name) != "." {
		mode = 0o755 // ld.so does not ask for it, tools that list libraries do
	}
	if err := os.WriteFile(filepath.Join(dir, name), b, mode); err != nil {
		return fmt.Errorf("write artefact: %w", err)
	}
	return nil
}

// linkStubs gives stubs their further names. The links are relative, for they are followed in the container.
func linkStubs(a *capsule.Artefacts, dir string) error {
	lib := filepath.Join(dir, a.Arch.Triplet, LibDir)
	for i := range a.Stubs {
		for _, l := range a.Stubs[i].Links {
			if err := below(filepath.Join(a.Arch.Triplet, LibDir, l)); err != nil {
				return err
			}
			from := filepath.Join(lib, l)
			to, err := filepath.Rel(filepath.Dir(from), filepath.Join(lib, a.Stubs[i].File))
			if err == nil {
				err = os.MkdirAll(filepath.Dir(from), 0o755)
			}
			if err == nil {
				err = os.Symlink(to, from)
			}
			if err != nil {
				return fmt.Errorf("write artefact: %w", err)
			}
		}
	}
	return nil
}

// maxRewritten bounds a library of which there is to be a copy, in bytes: LLVM's has some 150 MB.
const maxRewritten = 1 << 29

func rewrite(r capsule.Rewritten, dir string) error {
	b, err := regular.Read(r.Source, maxRewritten)
	if err != nil {
		return fmt.Errorf("rewrite a host library: %w", err)
	}
	if r.Expand {
		b, err = relr.Expand(b)
	}
	if err == nil && r.ClearPLT {
		b, err = relr.ClearPLT(b)
	}
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", r.Source, err)
	}
	return writeFile(dir, r.File, b)
}

// generate adds the files of one architecture.
func generate(a *capsule.Artefacts, out *output) error {
	lib, proxy := filepath.Join(a.Arch.Triplet, LibDir), filepath.Join(a.Arch.Triplet, ProxyDir)
	for i := range a.Stubs {
		b, err := a.Stubs[i].Write()
		if err != nil {
			return fmt.Errorf("generate stub %s: %w", a.Stubs[i].Soname, err)
		}
		if err := out.add(filepath.Join(lib, a.Stubs[i].File), b); err != nil {
			return err
		}
		for _, name := range a.Stubs[i].Names {
			alias := dso.Alias{Arch: a.Arch, Soname: name, Of: a.Stubs[i].Soname}
			b, err := alias.Write()
			if err != nil {
				return fmt.Errorf("generate %s for %s: %w", name, a.Stubs[i].Soname, err)
			}
			if err := out.add(filepath.Join(lib, name), b); err != nil {
				return err
			}
		}
	}
	for i := range a.Proxies {
		b, err := a.Proxies[i].Write()
		if err != nil {
			return fmt.Errorf("generate proxy %s: %w", a.Proxies[i].Soname, err)
		}
		if err := out.add(filepath.Join(proxy, a.Proxies[i].Soname), b); err != nil {
			return err
		}
	}
	for _, name := range []string{cshim.Libcapsule, cshim.CapsuleRoot} {
		b, err := cshim.Object(a.Arch, name)
		if err != nil {
			return err
		}
		if err := out.add(filepath.Join(lib, name), b); err != nil {
			return err
		}
	}
	for _, g := range a.Generated {
		if err := out.add(g.File, g.Text); err != nil {
			return err
		}
	}
	b, err := a.Manifest.Encode()
	if err != nil {
		return fmt.Errorf("generate the manifest: %w", err)
	}
	return out.add(filepath.Join(lib, manifest.Name), b)
}

// JSON is the plan as it is stored and printed: indented, the same bytes for the same plan.
func JSON(plan *capsule.Plan) ([]byte, error) {
	b, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the plan: %w", err)
	}
	return append(b, '\n'), nil
}
