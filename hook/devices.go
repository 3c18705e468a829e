package hook

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/capsule-run/capsule-run/hook/ask"
	"github.com/capsule-run/capsule-run/hook/place"
)

// drmMajor is the kernel's number of DRM devices (Documentation/admin-guide/devices.txt). NVIDIA's are partly dynamic.
const drmMajor = 226

// nodes are where GPUs have their device nodes.
var nodes = []struct {
	pattern string
	major   uint32
}{
	{"/dev/dri/card[0-9]*", drmMajor},
	{"/dev/dri/renderD[0-9]*", drmMajor},
	{"/dev/nvidia[0-9]*", 0},
	{"/dev/nvidiactl", 0},
	{"/dev/nvidia-modeset", 0},
	{"/dev/nvidia-uvm", 0},
	{"/dev/nvidia-uvm-tools", 0},
	{"/dev/kfd", 0},
	{"/dev/dxg", 0},
}

// openDevices opens the device nodes of the GPUs asked for, by the nodes' names. A machine without any has none to bring.
func openDevices(_ *Options, gpus []string) ([]place.Device, error) {
	var out []place.Device
	for _, n := range nodes {
		found, err := filepath.Glob(n.pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			if !slices.Contains(gpus, ask.All) && !slices.Contains(gpus, path.Base(name)) {
				continue
			}
			d, err := place.OpenDevice(name, n.major)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out = append(out, d)
		}
	}
	return out, nil
}
