// Package oci reads what a container engine tells a hook: the state on standard input (runtime-spec, runtime.md "State")
// and the bundle's config.json. It exists so that nothing else of the hook sees these bytes: they are bounded, may hold
// anything, and what of them comes from the image (variables, annotations) are requests, not rights. It opens nothing of
// the container's file tree.
package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/regular"
)

const (
	// maxState and maxConfig are in bytes. An engine's config.json has some 20 KB; seccomp rules
	// make most of it. A program can be started with 6 MB of variables (execve(2)).
	maxState  = 1 << 20
	maxConfig = 8 << 20
	// maxEntries is how many variables and annotations there may be.
	maxEntries = 1 << 16
	// ConfigName is the configuration's name in a bundle.
	ConfigName = "config.json"
)

// Container is what a hook is told of the container that it was called for.
type Container struct {
	ID string
	// Pid of the container's first process, as the hook's PID namespace has it. In createContainer it means nothing: runc
	// counts from inside, crun says 0.
	Pid int
	// Bundle and Rootfs are absolute paths of the mount namespace that the runtime set the root up from.
	Bundle, Rootfs string
	// Annotations and Env are requests: an image may have set them.
	Annotations map[string]string
	Env         []string
	// MountLabel is the SELinux context for what is mounted, empty without SELinux.
	MountLabel string
	// Readonly says that the root will be read-only for the container's programs.
	Readonly bool
}

// state is of the runtime-spec's what matters here, with crun's addition.
type state struct {
	ID          string            `json:"id"`
	Pid         int               `json:"pid"`
	Bundle      string            `json:"bundle"`
	Annotations map[string]string `json:"annotations"`
	Root        string            `json:"root"` // crun: config.json's root.path
}

// spec is likewise of config.json: what is not asked for takes no memory, however much there is of
// it.
type spec struct {
	Root *struct {
		Path     string `json:"path"`
		Readonly bool   `json:"readonly"`
	} `json:"root"`
	Process struct {
		Env []string `json:"env"`
	} `json:"process"`
	Linux struct {
		MountLabel string `json:"mountLabel"`
	} `json:"linux"`
	Annotations map[string]string `json:"annotations"`
}

// Read reads a state and the bundle that it names.
func Read(r io.Reader) (*Container, error) {
	text, err := regular.Bounded(r, maxState)
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("read the container's state from standard input: %w", err), stateHint)
	}
	c, root, err := parseState(text)
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("the container's state on standard input: %w", err), stateHint)
	}
	return c, c.readConfig(path.Join(c.Bundle, ConfigName), root)
}

// ReadConfig reads a bundle's configuration alone: there is no container yet.
func ReadConfig(name string) (*Container, error) {
	c := &Container{Bundle: path.Dir(name)}
	return c, c.readConfig(name, "")
}

// HintConfig says what a bundle's configuration is.
const HintConfig = "name the config.json of a bundle: it is as `runc spec` makes it"

func (c *Container) readConfig(name, root string) error {
	text, err := readFile(name)
	if err != nil {
		return fmt.Errorf("read the bundle: %w", err)
	}
	if err := c.parseConfig(text, root); err != nil {
		return fault.WithHint(fmt.Errorf("%s: %w", name, err), HintConfig)
	}
	return nil
}

const stateHint = "a container engine starts hooks and gives them the state (OCI runtime-spec); nobody else needs to"

func parseState(text []byte) (*Container, string, error) {
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, "", err
	}
	if !path.IsAbs(s.Bundle) {
		return nil, "", fmt.Errorf("bundle %q is no absolute path", s.Bundle)
	}
	if s.Pid < 0 {
		return nil, "", fmt.Errorf("%d is no process number", s.Pid)
	}
	return &Container{ID: s.ID, Pid: s.Pid, Bundle: path.Clean(s.Bundle), Annotations: s.Annotations}, s.Root, nil
}

func (c *Container) parseConfig(text []byte, root string) error {
	var spec spec
	if err := json.Unmarshal(text, &spec); err != nil {
		return err
	}
	if n := max(len(spec.Process.Env), len(spec.Annotations)); n > maxEntries {
		return fmt.Errorf("has more than %d variables or annotations", maxEntries)
	}
	if spec.Root != nil {
		c.Readonly = spec.Root.Readonly
		root = spec.Root.Path
	}
	if root == "" {
		return errors.New("has no root.path")
	}
	if c.Rootfs = path.Clean(root); !path.IsAbs(root) {
		c.Rootfs = path.Join(c.Bundle, root)
	}
	all := maps.Clone(spec.Annotations)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, c.Annotations)
	c.Annotations = all
	c.Env, c.MountLabel = spec.Process.Env, spec.Linux.MountLabel
	return nil
}

// Getenv is a variable of the container's environment: the last of a name, as runc and crun set them in turn.
func (c *Container) Getenv(name string) (value string, ok bool) {
	for _, e := range c.Env {
		if len(e) > len(name) && e[len(name)] == '=' && e[:len(name)] == name {
			value, ok = e[len(name)+1:], true
		}
	}
	return value, ok
}

// readFile reads a bundle's file. The bundle is the engine's own; a link or a pipe there is a mistake.
func readFile(name string) ([]byte, error) {
	f, err := regular.Open(name, unix.O_NOFOLLOW)
	if errors.Is(err, regular.ErrNotRegular) {
		return nil, fault.WithHint(err, HintConfig)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return regular.All(f, maxConfig)
}
