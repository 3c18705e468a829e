// Package build is the stage build: it turns a plan into the files that the container sees below /run/capsule, and
// keeps them in a cache. It decides nothing: names, contents and order are the plan's.
//
//	<dir>/lib/          stubs, libcapsule.so, libcapsule-root.so, capsule.manifest
//	<dir>/proxy/        proxies
//	<dir>/ld.so.cache   what appears as the container's /etc/ld.so.cache
//	<dir>/plan.json     for people, and as the mark that the directory is complete
package build

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/manifest"
	"github.com/capsule-run/capsule-run/cshim"
	"github.com/capsule-run/capsule-run/internal/ldcache"
)

// File names below an artefact directory.
const (
	LibDir      = "lib"
	ProxyDir    = "proxy"
	LdSoCache   = "ld.so.cache"
	PlanFile    = "plan.json"
	InputsFile  = "inputs.json"
	manifestRel = LibDir + "/" + manifest.Name
)

// Write puts a plan's files below dir, which must exist and be empty. What is there after an error is incomplete;
// plan.json is written last.
func Write(plan *capsule.Plan, dir string) error {
	a := plan.Artefacts()
	files := map[string][]byte{}
	for i := range a.Stubs {
		b, err := a.Stubs[i].Write()
		if err != nil {
			return fmt.Errorf("generate stub %s: %w", a.Stubs[i].Soname, err)
		}
		files[filepath.Join(LibDir, a.Stubs[i].Soname)] = b
	}
	for i := range a.Proxies {
		b, err := a.Proxies[i].Write()
		if err != nil {
			return fmt.Errorf("generate proxy %s: %w", a.Proxies[i].Soname, err)
		}
		files[filepath.Join(ProxyDir, a.Proxies[i].Soname)] = b
	}
	for _, name := range []string{cshim.Libcapsule, cshim.CapsuleRoot} {
		b, err := cshim.Object(a.Arch, name)
		if err != nil {
			return err
		}
		files[filepath.Join(LibDir, name)] = b
	}
	var err error
	if files[manifestRel], err = a.Manifest.Encode(); err != nil {
		return fmt.Errorf("generate the manifest: %w", err)
	}
	if files[LdSoCache], err = ldcache.Write(a.Cache); err != nil {
		return fmt.Errorf("generate ld.so.cache: %w", err)
	}
	for _, d := range []string{LibDir, ProxyDir} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return fmt.Errorf("create artefact directory: %w", err)
		}
	}
	for name, b := range files {
		mode := os.FileMode(0o644)
		if filepath.Dir(name) != "." {
			mode = 0o755 // ld.so does not ask for it, tools that list libraries do
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, mode); err != nil {
			return fmt.Errorf("write artefact: %w", err)
		}
	}
	text, err := JSON(plan)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, PlanFile), text, 0o644); err != nil {
		return fmt.Errorf("write artefact: %w", err)
	}
	return nil
}

// JSON is the plan as it is stored and printed: indented, the same bytes for the same plan.
func JSON(plan *capsule.Plan) ([]byte, error) {
	b, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the plan: %w", err)
	}
	return append(b, '\n'), nil
}
