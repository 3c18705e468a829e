package hook

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/capsule-run/capsule-run/hook/oci"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// stamp is what a capsule was made with, for a later call of the hook for the same container: several entries may ask for
// GPUs, in hooks.d, in the bundle, by CDI. What differs from program to program (its version) is left out.
type stamp struct {
	Host      string   `json:"host"`
	Boundary  string   `json:"boundary"`
	Libraries []string `json:"libraries"`
}

func (o *Options) stamp() stamp {
	w := o.wishes()
	return stamp{Host: o.host(), Boundary: w.Boundary.All, Libraries: w.Libraries}
}

func (s stamp) text() []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings
	}
	return append(text, '\n')
}

// again serves a container that has its capsule. The libraries are the same for all GPUs, so what a call can add is device
// nodes: the container has in the end what all calls together give. A call for another host, or with other libraries, can
// only fail: the first one's are in place.
func again(o *Options, in *inside, c *oci.Container, earlier []byte, gpus []string) error {
	var have stamp
	want := o.stamp()
	problem := ""
	switch err := json.Unmarshal(earlier, &have); {
	case err != nil:
		problem = "which was not made by this release"
	case have.Host != want.Host:
		problem = fmt.Sprintf("of the host %q, and this call is for %q", have.Host, want.Host)
	case have.Boundary != want.Boundary:
		problem = fmt.Sprintf("with the boundary %q, and this call is for %q", have.Boundary, want.Boundary)
	case !slices.Equal(have.Libraries, want.Libraries):
		problem = fmt.Sprintf("with the libraries %q, and this call is for %q", have.Libraries, want.Libraries)
	}
	if problem != "" {
		return fault.WithHint(fmt.Errorf("container %s has a capsule already, %s", c.ID, problem),
			"the hook is called twice, by hooks.d, the bundle or CDI: leave one of them out, or give all the same --host and --config")
	}
	if !o.system.Hook.BringsDevices() {
		o.Verbose("container %s has its capsule already", c.ID)
		return nil
	}
	devices, err := openDevices(o, gpus)
	if err == nil {
		err = in.place.PutDevices(devices)
	}
	if err != nil {
		return fmt.Errorf("container %s: %w", c.ID, fault.Advise(err, hintTree))
	}
	o.Verbose("container %s has its capsule already; %d device nodes looked after", c.ID, len(devices))
	return nil
}
