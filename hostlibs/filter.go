package hostlibs

import (
	"path"
	"strings"

	"github.com/capsule-run/capsule-run/configs"
)

// filteredBy names the variable by which a loader passes over a file; empty if none does. What is selected is not disabled,
// and where there is a selection what is not in it is left out (Vulkan-Loader, LoaderInterfaceArchitecture.md, "Driver
// Filtering").
func (d *discovery) filteredBy(rule *configs.Manifests, file string) string {
	selection, disabled := d.getenv(rule.SelectEnvironment), d.getenv(rule.DisableEnvironment)
	switch name := path.Base(file); {
	case matchesFilter(selection, name):
		return ""
	case matchesFilter(disabled, name):
		return rule.DisableEnvironment
	case strings.Trim(selection, ",") != "":
		return rule.SelectEnvironment
	}
	return ""
}

// matchesFilter tells whether one of the patterns of a list matches a name, whatever its case. A pattern is a name, with a
// star at its beginning, its end or both; a star elsewhere is one (loader/loader_environment.c, determine_filter_type).
func matchesFilter(list, name string) bool {
	name = strings.ToLower(name)
	for _, pattern := range strings.Split(strings.ToLower(list), ",") {
		if pattern == "" {
			continue
		}
		if pattern == "~all~" || pattern == "*" || pattern == "**" {
			return true
		}
		text, first := strings.CutPrefix(pattern, "*")
		text, last := strings.CutSuffix(text, "*")
		switch {
		case first && last && strings.Contains(name, text),
			first && !last && strings.HasSuffix(name, text),
			!first && last && strings.HasPrefix(name, text),
			name == text && !first && !last:
			return true
		}
	}
	return false
}
