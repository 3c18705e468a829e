package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/config"
)

// boundaries joins the configuration's wishes and the flags, WHERE for all APIs and API=WHERE for one. Of two for
// the same the last wins.
func boundaries(c *config.Config, flags []string) (capsule.Boundaries, error) {
	b := capsule.Boundaries{All: cmp.Or(c.Boundary, capsule.BoundaryAuto), ByAPI: map[string]string{}}
	maps.Copy(b.ByAPI, c.Boundaries)
	for _, text := range flags {
		if api, where, one := strings.Cut(text, "="); one {
			b.ByAPI[api] = where
		} else {
			b.All = text
		}
	}
	for _, api := range append(slices.Sorted(maps.Keys(b.ByAPI)), "") {
		where, said, from := b.All, c.Boundary, "boundary"
		if api != "" {
			where, said, from = b.ByAPI[api], c.Boundaries[api], "boundaries."+api
		}
		if slices.Contains([]string{capsule.BoundaryFrontend, capsule.BoundaryDriver, capsule.BoundaryAuto}, where) {
			continue
		}
		if where != said {
			from = "" // a flag
		}
		return b, usage(fmt.Sprintf("%sunknown boundary %q", in(c.From(from)), where), "it is frontend, driver or auto, or for one API API=WHERE")
	}
	return b, nil
}
