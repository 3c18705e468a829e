package hostlibs

import (
	"testing"

	"github.com/capsule-run/capsule-run/configs"
)

func TestFilteredBy(t *testing.T) {
	rule := &configs.Manifests{SelectEnvironment: "SELECT", DisableEnvironment: "DISABLE"}
	for _, c := range []struct{ selection, disabled, want string }{
		{"", "", ""},
		{",,", "", ""},
		{"", "radeon*", "DISABLE"},
		{"", "*icd*", "DISABLE"},
		{"", "*.JSON", "DISABLE"},
		{"", "radeon", ""},
		{"", "rad*json", ""}, // a star in the middle is one
		{"", "icd*", ""},
		{"", "*icd", ""},
		{"", "nvidia*,radeon_icd.json", "DISABLE"},
		{"nvidia*", "", "SELECT"},
		{"nvidia*,Radeon*", "", ""},
		{"radeon*", "~all~", ""},
		{"nvidia*", "*", "DISABLE"},
		{"**", "*radeon*", ""},
	} {
		d := &discovery{getenv: func(k string) string { return map[string]string{"SELECT": c.selection, "DISABLE": c.disabled}[k] }}
		if got := d.filteredBy(rule, "/usr/share/vulkan/icd.d/Radeon_icd.json"); got != c.want {
			t.Errorf("select %q, disable %q: by %q", c.selection, c.disabled, got)
		}
		if got := d.filteredBy(&configs.Manifests{}, "/x.json"); got != "" {
			t.Errorf("a rule without such variables: by %q", got)
		}
	}
}
