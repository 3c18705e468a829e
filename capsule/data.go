package capsule

import (
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/capsule/manifest"
)

// planData maps what drivers name by absolute paths to what is mounted of the host.
func (p *planner) planData() {
	for _, l := range p.in.Host.Links {
		p.mapPath(l.From, l.To, "a link of the host")
	}
	p.mapPath(p.hostDir(), "/", "where drivers find themselves, and go on from")
	p.mapPath(p.shareDir(), "/", "where drivers find files, and go on from")
	for _, d := range p.in.Host.Data {
		p.mapPath(p.behindLinks(d.Path), path.Join(p.shareDir(), d.Path), d.Reason)
	}
}

// mapPath: of two rules for a path the first counts.
func (p *planner) mapPath(from, to, why string) {
	if slices.ContainsFunc(p.plan.PathMap, func(m PathMap) bool { return m.From == from }) {
		return
	}
	p.plan.PathMap = append(p.plan.PathMap, PathMap{From: from, To: to, Why: why})
	m := &p.plan.artefacts.Manifest
	m.Maps = append(m.Maps, manifest.PathMap{From: from, To: to})
}

// behindLinks is the path as the capsule root puts it together, following the host's links.
func (p *planner) behindLinks(file string) string {
	for _, l := range p.in.Host.Links {
		if rest, ok := strings.CutPrefix(file, l.From+"/"); ok {
			return path.Join(l.To, rest)
		}
	}
	return file
}
