package hostgpu

import (
	"path"
	"strconv"
	"strings"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/pattern"
)

const (
	familyNVIDIA = "NVIDIA"
	nvidiaProc   = "/proc/driver/nvidia"
)

var (
	gpuUUID   = pattern.Lazy(`^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	number10  = pattern.Lazy(`^[0-9]{1,5}$`)
	nvrmLine  = pattern.Lazy(`Kernel Module (?:for \S+ )?\s*([0-9]+(?:\.[0-9]+)+)`)
	gpuInst   = pattern.Lazy(`^gi([0-9]{1,5})$`)
	compInst  = pattern.Lazy(`^ci([0-9]{1,5})$`)
	infoField = pattern.Lazy(`(?m)^([A-Za-z ]+):[ \t]*(.*)$`)
)

// nvidiaGPUs reads what the driver tells of each of its GPUs (NVIDIA's README, chapter "The /proc file system
// interface"): the number of its node, its model and UUID.
func (d *discovery) nvidiaGPUs() {
	for _, address := range d.list(nvidiaProc + "/gpus") {
		if !pciAddress().MatchString(address) {
			continue
		}
		dir, err := d.Resolve("/sys/bus/pci/devices/" + address)
		if err != nil {
			dir = nvidiaProc + "/gpus/" + address // without sysfs
		}
		g := d.gpu(dir)
		if strings.HasPrefix(dir, nvidiaProc) {
			g.Bus, g.Driver, g.Family = "pci", "nvidia", familyNVIDIA
		}
		if g.Driver == "nvidia" && g.DriverVersion == "" {
			if m := nvrmLine().FindStringSubmatch(d.text(nvidiaProc + "/version")); m != nil {
				g.DriverVersion = m[1]
			}
		}
		for _, f := range infoField().FindAllStringSubmatch(d.text(nvidiaProc+"/gpus/"+address+"/information"), -1) {
			switch value := strings.TrimSpace(f[2]); {
			case f[1] == "Model":
				g.Name = value
			case f[1] == "GPU UUID" && gpuUUID().MatchString(value):
				g.UUID = value
			case f[1] == "Device Minor" && number10().MatchString(value):
				g.number = value
			}
		}
	}
}

// nvidiaParts reads which instances (MIG) a GPU is divided into. Each needs two capabilities, its own and that of the GPU
// instance around it, besides the nodes of the GPU (NVIDIA, Multi-Instance GPU User Guide: "Device Nodes and
// Capabilities").
func (d *discovery) nvidiaParts() {
	rule := d.capabilities()
	if rule == nil {
		return
	}
	for _, g := range d.gpus {
		if g.number == "" {
			continue
		}
		top := nvidiaProc + "/capabilities/gpu" + g.number + "/mig"
		for _, gi := range d.list(top) {
			m := gpuInst().FindStringSubmatch(gi)
			if m == nil {
				continue
			}
			for _, ci := range d.list(path.Join(top, gi)) {
				c := compInst().FindStringSubmatch(ci)
				if c == nil {
					continue
				}
				p := &Partition{Nodes: []*Node{}}
				p.GPUInstance, _ = strconv.Atoi(m[1])
				p.ComputeInstance, _ = strconv.Atoi(c[1])
				for _, access := range []string{path.Join(top, gi, "access"), path.Join(top, gi, ci, "access")} {
					if n := d.capability(rule, access); n != nil {
						p.Nodes = append(p.Nodes, n)
					}
				}
				g.Partitions = append(g.Partitions, p)
			}
		}
	}
}

// capabilities is the rule for nodes that stand for one.
func (d *discovery) capabilities() *configs.Nodes {
	for _, f := range d.rules.Families {
		for i := range f.Nodes {
			if f.Name == familyNVIDIA && f.Nodes[i].Of == configs.OfCapability {
				return &f.Nodes[i]
			}
		}
	}
	return nil
}

func (d *discovery) capability(rule *configs.Nodes, access string) *Node {
	for _, f := range infoField().FindAllStringSubmatch(d.text(access), -1) {
		if n := strings.TrimSpace(f[2]); f[1] == "DeviceFileMinor" && number10().MatchString(n) {
			return d.ruleNode(rule, rule.Path[:strings.IndexAny(rule.Path+"*", `*?[\`)]+n)
		}
	}
	return nil
}
