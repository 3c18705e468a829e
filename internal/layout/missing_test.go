package layout

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// A wish below a directory of the runtime leaves everything else there as it is, and only where the
// runtime has no place for it does the directory get room.
func TestMissing(t *testing.T) {
	r := t.TempDir()
	for _, dir := range []string{"opt/tool/bin", "opt/other", "etc/fonts/conf.d", "var/lib/dpkg", "usr/share"} {
		must(t, os.MkdirAll(r+"/"+dir, 0o755))
	}
	must(t, os.WriteFile(r+"/etc/fonts/fonts.conf", nil, 0o644))
	must(t, os.Symlink("other", r+"/opt/link"))
	tops, err := ReadTree(r)
	must(t, err)
	binds := []Bind{{Src: "/opt/tool/new/deep"}, {Src: "/etc/fonts/fonts.conf"}, {Src: "/var/lib/game"}, {Src: "/opt/link/x"}, {Src: "/usr/share/x"}, {Src: "/x"}}
	must(t, MarkMissing(tops, binds))
	var missing []bool
	for _, b := range binds {
		missing = append(missing, b.Missing)
	}
	if want := []bool{true, false, false, false, false, false}; !slices.Equal(missing, want) {
		t.Errorf("missing: %v, want %v", missing, want)
	}
	ops, err := Compose(Input{Top: tops, Host: host(), Binds: binds})
	must(t, err)
	all := strings.Join(show(ops), "\n") + "\n"
	for _, want := range []string{"bind /opt < " + r + "/opt ro", "room /opt", "bind /opt/tool/new/deep < /opt/tool/new/deep", "room /etc", "room /var",
		"bind /var/lib/game < /var/lib/game", "bind /usr < " + r + "/usr ro"} {
		if !strings.Contains(all, want+"\n") {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	ops, err = Compose(Input{Top: tops, Host: host(), Binds: binds[1:]})
	must(t, err)
	if all := strings.Join(show(ops), "\n") + "\n"; strings.Contains(all, "room /opt") {
		t.Errorf("there is room for nothing:\n%s", all)
	}
	for dir, want := range map[string]bool{"/opt/game/x": true, "/opt/other": false, "/opt": false, "/var/x": false, "/usr/x": false, "/": false} {
		in := Input{Top: tops, Host: Host{Cwd: dir}}
		if err := in.Open(); err != nil || (len(in.Binds) == 1 && in.Binds[0].Missing) != want {
			t.Errorf("%s: %v %v", dir, in.Binds, err)
		}
	}
	in := Input{Top: tops, Host: Host{Cwd: "/opt/game", Files: []string{"/opt/game/so", "/opt/overlay/so", "/opt/other", "/usr/x"}}}
	if err := in.Open(); err != nil || len(in.Binds) != 2 || in.Binds[1].Src != "/opt/overlay/so" {
		t.Errorf("%v %v", in.Binds, err)
	}
}
