package layout

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The host's fonts are there beside the runtime's, and are configured where the runtime has none.
func TestFonts(t *testing.T) {
	r := t.TempDir()
	must(t, os.MkdirAll(r+"/usr/share/fonts/truetype", 0o755))
	must(t, os.WriteFile(r+"/usr/share/fonts/.uuid", nil, 0o644))
	tops, err := ReadTree(r)
	must(t, err)
	for _, own := range []bool{false, true} {
		if own {
			must(t, os.WriteFile(r+"/usr/share/fonts/truetype/a.ttf", nil, 0o644))
		}
		in := Input{Top: tops, Host: host(), OwnFonts: HasFonts(tops)}
		in.Host.Exists = append(in.Host.Exists, "/usr/share/fonts")
		ops, err := Compose(in)
		must(t, err)
		all := strings.Join(show(ops), "\n") + "\n"
		if in.OwnFonts != own || !strings.Contains(all, "bind /run/host/fonts < /usr/share/fonts ro\n") ||
			strings.Contains(all, "file /run/host/fonts.conf\n") == own || strings.Contains(all, "local-fonts") {
			t.Errorf("own fonts: %v, %v\n%s", own, in.OwnFonts, all)
		}
		want := []string{"A=b"}
		if !own {
			want = append(want, "FONTCONFIG_FILE=/run/host/fonts.conf")
		}
		if got := in.Environ([]string{"A=b"}); !slices.Equal(got, want) {
			t.Errorf("environment %q", got)
		}
		if set := []string{"FONTCONFIG_FILE=/x"}; !slices.Equal(in.Environ(set), set) {
			t.Error("what the user sets is changed")
		}
	}
}
