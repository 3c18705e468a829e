// Package cshim carries the compiled C parts: libcapsule.so, the capsule root and doctor's program, per architecture. It
// exists so that the launcher is one file; `make` puts the objects into out/ before the Go build embeds them. It never
// looks at the file system.
package cshim

import (
	"embed"
	"errors"
	"fmt"

	"github.com/capsule-run/capsule-run/internal/arch"
)

//go:embed all:out
var objects embed.FS

// Names of the objects, as they appear in the container.
const (
	Libcapsule  = "libcapsule.so"
	CapsuleRoot = "libcapsule-root.so"
	// Scene is the program that draws doctor's test scenes, natively and in the runtime.
	Scene = "capsule-scene"
)

// ErrNotBuilt says that this binary was built without the C parts.
var ErrNotBuilt = errors.New("built without the C parts")

// Object returns the bytes of Libcapsule, CapsuleRoot or Scene for an architecture.
func Object(a *arch.Arch, name string) ([]byte, error) {
	b, err := objects.ReadFile("out/" + a.Name + "/" + name)
	if err != nil {
		return nil, fmt.Errorf("%s for %s: %w", name, a.Name, ErrNotBuilt)
	}
	return b, nil
}
