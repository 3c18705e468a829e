package inspection

import (
	"fmt"
	"path"
	"slices"
	"strings"

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

// matches returns those names of a library that the patterns stand for: one of Mesa's files is many drivers.
func matches(patterns []string, l *hostlibs.Library) []string {
	var out []string
	for _, n := range names(l) {
		for _, p := range patterns {
			if ok, _ := path.Match(p, n); ok && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	// libcuda.so.1 says nothing that libcuda.so.535.247.01 does not.
	base := path.Base(l.Path)
	stem, _, _ := strings.Cut(base, ".so")
	if slices.Contains(out, base) {
		out = slices.DeleteFunc(out, func(n string) bool { return n != base && strings.HasPrefix(n, stem+".so") })
	}
	return out
}

// serves tells whether a library is made for a GPU's family.
func (m *maker) serves(g *hostgpu.GPU, l *hostlibs.Library) bool {
	f := m.family(g)
	return f != nil && len(matches(f.Libraries, l)) > 0
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
		if use(l, api.Name) == nil {
			continue
		}
		if found := matches(patterns, l); len(found) > 0 {
			s.Drivers = append(s.Drivers, found...)
			if s.Version == "" {
				s.Version = m.version(l)
			}
		}
	}
	slices.Sort(s.Drivers)
	return s
}
