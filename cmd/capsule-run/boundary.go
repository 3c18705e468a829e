package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/config"
)

// boundaries joins the configuration file's wishes and the flags, WHERE for all APIs and API=WHERE for one. Of two for
// the same the last wins.
func boundaries(c *config.Config, flags []string) (capsule.Boundaries, error) {
	b := capsule.Boundaries{All: first(c.Boundary, capsule.BoundaryAuto), ByAPI: map[string]string{}}
	maps.Copy(b.ByAPI, c.Boundaries)
	for _, text := range flags {
		if api, where, one := strings.Cut(text, "="); one {
			b.ByAPI[api] = where
		} else {
			b.All = text
		}
	}
	for _, where := range append(slices.Sorted(maps.Values(b.ByAPI)), b.All) {
		if !slices.Contains([]string{capsule.BoundaryFrontend, capsule.BoundaryDriver, capsule.BoundaryAuto}, where) {
			return b, usage(fmt.Sprintf("unknown boundary %q", where), "it is frontend, driver or auto, or for one API API=WHERE")
		}
	}
	return b, nil
}
