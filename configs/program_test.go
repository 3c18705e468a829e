package configs

import (
	"slices"
	"strings"
	"testing"
)

func TestPrograms(t *testing.T) {
	const own = "[[program]]\nname = \"own-smi\"\npaths = [\"/opt/own-smi\"]\nwhy = \"ours\"\n"
	r, err := merged(t, own+"[[program]]\nname = \"nvidia-smi\"\nremove = true\n", strings.Replace(own, "/opt/", "/usr/bin/", 1))
	if err != nil || len(r.Programs) != 1 || r.Programs[0].Name != "own-smi" || !slices.Equal(r.Programs[0].Paths, []string{"/usr/bin/own-smi"}) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, c := range []struct{ text, want string }{
		{"\n[[program]]\nname = \"a/b\"\n", "own.toml:2: program \"a/b\": the name is not a file name"},
		{"[[program]]\nname = \"a\"\nwhy = \"w\"\n", "own.toml:1: program \"a\": paths and a reason"},
		{"[[program]]\nname = \"a\"\nwhy = \"w\"\npaths = [\"bin/a\"]\n", "\"bin/a\" is not an absolute"},
		{"[[program]]\nname = \"a\"\nwhy = \"w\"\npaths = [\"/bin/a\"]\nlibraries = [\"[\"]\n", "pattern"},
		{"[[program]]\nname = \"a\"\nremove = true\n", "own.toml:1: there is no program a to remove"},
	} {
		if _, err := merged(t, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}
