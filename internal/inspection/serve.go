package inspection

import (
	"fmt"
	"path"
	"slices"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/hostlibs"
)

func (m *maker) family(g *hostgpu.GPU) *configs.DeviceFamily {
	for i, f := range m.rules.Devices.Families {
		if f.Name == g.Family {
			return &m.rules.Devices.Families[i]
		}
	}
	return nil
}

// match returns the name of a library that one of the patterns stands for, empty if none does.
func match(patterns []string, l *hostlibs.Library) string {
	for _, p := range patterns {
		for _, n := range names(l) {
			if ok, _ := path.Match(p, n); ok {
				return n
			}
		}
	}
	return ""
}

// serves tells whether a library is made for a GPU's family.
func (m *maker) serves(g *hostgpu.GPU, l *hostlibs.Library) bool {
	f := m.family(g)
	return f != nil && match(f.Libraries, l) != ""
}

// served says for each API which drivers a GPU has.
func (m *maker) served(g *hostgpu.GPU) []Serving {
	out := []Serving{}
	f := m.family(g)
	if g.DisplayOnly || g.Driver == "" {
		return out // its notes say why
	}
	var own []string
	if f != nil {
		own = f.Libraries
	}
	for _, api := range m.rules.Stack.Families {
		s := m.serving(api, own)
		if len(s.Drivers) == 0 && (f == nil || !f.OwnStack) {
			s = m.serving(api, m.rules.Devices.Mesa)
		}
		if len(s.Drivers) == 0 {
			if !slices.Contains(m.rules.Devices.Expected, api.Name) {
				continue
			}
			s.Missing = fmt.Sprintf("the host has no %s driver for the kernel's %s", api.Name, g.Driver)
			m.problems = append(m.problems, fmt.Sprintf("%s: GPU %d: %s", m.Stack.Arch.Name, g.Index, s.Missing))
		}
		out = append(out, s)
	}
	return out
}

// software are the drivers that render on the processor.
func (m *maker) software() []Serving {
	out := []Serving{}
	for _, api := range m.rules.Stack.Families {
		if s := m.serving(api, m.rules.Devices.Software); len(s.Drivers) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// serving lists an API's libraries that match. A front end counts where it is its own driver, as CUDA's is.
func (m *maker) serving(api configs.Family, patterns []string) Serving {
	s := Serving{API: api.Name, Drivers: []string{}}
	for _, l := range m.Stack.Libraries {
		if l.API != api.Name || l.Role == hostlibs.RoleDependency {
			continue
		}
		if n := match(patterns, l); n != "" {
			s.Drivers = append(s.Drivers, n)
			if s.Version == "" {
				s.Version = m.version(l)
			}
		}
	}
	slices.Sort(s.Drivers)
	return s
}
