package setup

import (
	"encoding/json"
	"fmt"
	"path/filepath"
)

// Name is how our entries are known: it is their first argument.
const Name = "capsule-hook"

// FileName of our file in a hooks.d directory.
const FileName = "capsule.json"

// timeout is in seconds. A first start builds and takes a fraction of one.
const timeout = 60

// Conditions under which the engine calls the hook.
const (
	// WhenAnnotation calls it for containers with an annotation dev.capsule.gpu.
	WhenAnnotation = "annotation"
	// WhenAlways calls it for all: the configuration, or Entry.GPU, says which ones get a GPU.
	WhenAlways = "always"
)

// Entry is a call of the hook.
type Entry struct {
	Binary string // absolute
	Stage  string
	// Flags of the call; empty ones are left out.
	GPU, Mode, Host, Config, Cache string
	NoDevices                      bool
}

// Hook is an entry as runtime-spec (config.md "POSIX-platform Hooks") has it.
type Hook struct {
	Path    string   `json:"path"`
	Args    []string `json:"args"`
	Env     []string `json:"env"`
	Timeout int      `json:"timeout"`
}

// Hook returns the entry in the form of the runtime-spec.
func (e Entry) Hook() (Hook, error) {
	if !filepath.IsAbs(e.Binary) {
		return Hook{}, fmt.Errorf("hook %s is no absolute path", e.Binary)
	}
	h := Hook{Path: e.Binary, Args: []string{Name, e.Stage}, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, Timeout: timeout}
	for _, f := range [][2]string{{"gpu", e.GPU}, {"mode", e.Mode}, {"host", e.Host}, {"config", e.Config}, {"cache", e.Cache}} {
		if f[1] != "" {
			h.Args = append(h.Args, "--"+f[0]+"="+f[1])
		}
	}
	if e.NoDevices {
		h.Args = append(h.Args, "--no-devices")
	}
	return h, nil
}

// hooksFile is version 1.0.0 of oci-hooks(5).
type hooksFile struct {
	Version string   `json:"version"`
	Hook    Hook     `json:"hook"`
	When    when     `json:"when"`
	Stages  []string `json:"stages"`
}

type when struct {
	Always      bool              `json:"always,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// File returns the text of a hooks.d file.
func (e Entry) File(condition string) ([]byte, error) {
	h, err := e.Hook()
	if err != nil {
		return nil, err
	}
	f := hooksFile{Version: "1.0.0", Hook: h, Stages: []string{e.Stage}}
	switch condition {
	case WhenAnnotation:
		f.When.Annotations = map[string]string{`^dev\.capsule\.gpu$`: `.`} // regular expressions
	case WhenAlways:
		f.When.Always = true
	default:
		return nil, fmt.Errorf("condition %q is neither %s nor %s", condition, WhenAnnotation, WhenAlways)
	}
	text, err := json.MarshalIndent(f, "", "  ")
	return append(text, '\n'), err
}
