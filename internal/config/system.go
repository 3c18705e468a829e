package config

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/trust"
)

// SystemFile is the administrator's configuration.
const SystemFile = "/etc/capsule/config.toml"

// Modes of the hook.
const (
	// ModeRequired lets no container start without what it asked for; it is the default.
	ModeRequired = "required"
	// ModeOptional lets it start without GPU, with the reason on standard error.
	ModeOptional = "optional"
)

// System is what the administrator's file says to the hook.
type System struct{ Hook Hook }

// Hook is what the hook may do. The zero value, of a machine without the file, honours the annotation and nothing else.
type Hook struct {
	// Host is the root of the tree with the GPU stack; empty means "/".
	Host string `toml:"host"`
	// Boundary is as the launcher's; empty means frontend.
	Boundary  string   `toml:"boundary"`
	Libraries []string `toml:"libraries"`
	// Mode is ModeRequired or ModeOptional; empty means required.
	Mode string `toml:"mode"`
	// Annotation says whether a container may ask by annotation; it may where the key is missing.
	Annotation *bool `toml:"annotation"`
	// Environment names variables of an image by which it may ask.
	Environment []string `toml:"environment"`
	// Default is what a container gets that asks for nothing; empty means none.
	Default string `toml:"default"`
	// Allow lists the GPUs that may be asked for; empty or "all" means any.
	Allow []string `toml:"allow"`
	// Devices says whether device nodes are brought in; they are where the key is missing.
	Devices *bool `toml:"devices"`
}

const systemKeys = "known keys, below [hook]: host, boundary, mode, default (strings), libraries, environment, allow " +
	"(lists of strings), annotation, devices (true or false)"

// HonoursAnnotation says whether a container may ask by annotation.
func (h *Hook) HonoursAnnotation() bool { return h.Annotation == nil || *h.Annotation }

// BringsDevices says whether device nodes are brought in.
func (h *Hook) BringsDevices() bool { return h.Devices == nil || *h.Devices }

// LoadSystem reads the administrator's file for the hook. One that does not exist is as good as an empty one, unless it
// was named explicitly. It must be trusted (package trust), since it says what root does.
func LoadSystem(name string, explicit bool) (*System, error) {
	var s System
	f, err := readSystem(name, explicit)
	if err != nil || f == nil || f.Hook == nil {
		return &s, err
	}
	s.Hook = *f.Hook
	if h := &s.Hook; h.Host != "" {
		h.Host = below(filepath.Dir(name), "", h.Host)
	}
	for _, c := range []struct {
		key, value string
		among      []string
	}{
		{"mode", s.Hook.Mode, []string{"", ModeRequired, ModeOptional}},
		{"boundary", s.Hook.Boundary, []string{"", "frontend", "driver", "auto"}},
	} {
		if !slices.Contains(c.among, c.value) {
			return nil, wrong(fmt.Errorf("%s: hook.%s: %q is not known", name, c.key, c.value),
				fmt.Sprintf("it is one of: %q", c.among[1:]))
		}
	}
	return &s, nil
}

// readSystem returns nil if there is no such file, and need not be one.
func readSystem(name string, explicit bool) (*file, error) {
	text, err := trust.Read(name, trust.Machine, maxSize)
	if trust.Missing(err, trust.Machine) && !explicit {
		return nil, nil
	}
	if err != nil {
		return nil, unreadable(name, err)
	}
	return parse(name, string(text), true)
}

func unreadable(name string, err error) error {
	return fault.WithExit(fault.Advise(fmt.Errorf("read configuration: %w", err), "make "+name+" a readable file, or remove it"), fault.ExitUsage)
}
