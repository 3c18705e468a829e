package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/capsule-run/capsule-run/hook/oci"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// Edits are what a bundle gets.
type Edits struct {
	Entry Entry
	// Env are variables, NAME=VALUE: a hook cannot set them.
	Env     []string
	Devices []Device
}

// Device is a device node that the runtime is to make, and to let the container open.
type Device struct {
	Path         string
	Major, Minor uint32
	Mode         uint32 // permission bits
	UID, GID     uint32
	// Group says that the container's user needs GID to open it.
	Group bool
}

// Inject edits a bundle's config.json. What it does not know stays as it is, byte for byte. A second time changes nothing.
func Inject(name string, e Edits) (changed bool, err error) {
	old, info, err := readConfig(name)
	if err != nil {
		return false, fmt.Errorf("bundle: %w", err)
	}
	text, err := edit(old, e)
	if err != nil {
		return false, fault.WithHint(fmt.Errorf("bundle: %s: %w", name, err), oci.HintConfig)
	}
	if bytes.Equal(text, old) {
		return false, nil
	}
	return true, write(name, text, info)
}

// edit is Inject for the text.
func edit(text []byte, e Edits) ([]byte, error) {
	// gjson takes what is not JSON for something.
	if err := json.Unmarshal(text, new(struct {
		Version string `json:"ociVersion"`
	})); err != nil {
		return nil, err
	}
	if v := gjson.GetBytes(text, "ociVersion"); v.Type != gjson.String || v.Str == "" {
		return nil, errors.New("has no ociVersion, so it is no bundle's configuration")
	}
	c := &config{text: bytes.Clone(text)}
	c.hook(e.Entry)
	c.environment(e.Env)
	for _, d := range e.Devices {
		c.device(d)
	}
	return c.text, c.err
}

// config is a text that is edited in place; the first error stays.
type config struct {
	text []byte
	err  error
}

func (c *config) set(path string, value any) {
	if c.err == nil {
		c.text, c.err = sjson.SetBytes(c.text, path, value)
	}
}

// list returns the elements at a path; anything but an array, null or nothing is an error.
func (c *config) list(path string) []gjson.Result {
	r := gjson.GetBytes(c.text, path)
	if c.err == nil && r.Exists() && r.Type != gjson.Null && !r.IsArray() {
		c.err = fmt.Errorf("%s is no array", path)
	}
	if c.err != nil {
		return nil
	}
	if r.Type == gjson.Null && r.Exists() {
		c.set(path, []any{})
	}
	return r.Array()
}

// hook enters our call, in place of an earlier one, and takes those at other stages away.
func (c *config) hook(e Entry) {
	h, err := e.Hook()
	if err != nil {
		c.err = err
		return
	}
	for _, stage := range []string{"prestart", "createRuntime", "createContainer"} {
		path, found := "hooks."+stage, false
		list := c.list(path)
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].Get("args.0").Str != Name {
				continue
			}
			at := path + "." + strconv.Itoa(i)
			switch {
			case stage == e.Stage && !found:
				found = true
				if !same(list[i], h) {
					c.set(at, h)
				}
			case c.err == nil:
				c.text, c.err = sjson.DeleteBytes(c.text, at)
			}
		}
		if stage == e.Stage && !found {
			c.set(path+".-1", h)
		}
	}
}

func same(r gjson.Result, h Hook) bool {
	var have Hook
	return json.Unmarshal([]byte(r.Raw), &have) == nil && have.Path == h.Path && slices.Equal(have.Args, h.Args) &&
		slices.Equal(have.Env, h.Env) && have.Timeout == h.Timeout
}

// tunables is the one variable that is a list which others may have begun.
const tunables = "GLIBC_TUNABLES"

// environment sets variables. One that the bundle has stays, whoever wrote it knew of it; but a tunable is added.
func (c *config) environment(env []string) {
	const path = "process.env"
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		list := c.list(path)
		i := slices.IndexFunc(list, func(r gjson.Result) bool { return strings.HasPrefix(r.Str, name+"=") })
		switch {
		case i < 0:
			c.set(path+".-1", e)
		case name == tunables:
			tunable, _, _ := strings.Cut(value, "=")
			if have := strings.TrimPrefix(list[i].Str, name+"="); !strings.Contains(have, tunable+"=") {
				c.set(path+"."+strconv.Itoa(i), strings.TrimSuffix(name+"="+value+":"+have, ":"))
			}
		}
	}
}

// device makes the runtime make the node, lets the container's device cgroup open it, and gives its user the group.
func (c *config) device(d Device) {
	has := func(list []gjson.Result, match func(gjson.Result) bool) bool { return slices.ContainsFunc(list, match) }
	if !has(c.list("linux.devices"), func(r gjson.Result) bool { return r.Get("path").Str == d.Path }) {
		c.set("linux.devices.-1", map[string]any{"path": d.Path, "type": "c", "major": d.Major, "minor": d.Minor,
			"fileMode": d.Mode, "uid": d.UID, "gid": d.GID})
	}
	if gjson.GetBytes(c.text, "linux.resources").Exists() && !has(c.list("linux.resources.devices"), func(r gjson.Result) bool {
		return r.Get("allow").Bool() && r.Get("major").Exists() && r.Get("major").Uint() == uint64(d.Major) &&
			r.Get("minor").Exists() && r.Get("minor").Uint() == uint64(d.Minor)
	}) {
		c.set("linux.resources.devices.-1", map[string]any{"allow": true, "type": "c", "major": d.Major, "minor": d.Minor,
			"access": "rw"})
	}
	if d.Group && !has(c.list("process.user.additionalGids"), func(r gjson.Result) bool { return r.Uint() == uint64(d.GID) }) {
		c.set("process.user.additionalGids.-1", d.GID)
	}
}
