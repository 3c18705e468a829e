package layout

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/mount"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func debian() []Top {
	return []Top{
		{Name: "bin", Link: "usr/bin"},
		{Name: "boot", Source: "/r/boot"},
		{Name: "etc", Source: "/r/etc"},
		{Name: "home", Source: "/r/home"},
		{Name: "lib", Source: "/r/lib"},
		{Name: "app", Source: "/r/app"},
		{Name: "usr", Source: "/r/usr"},
		{Name: "tmp", Source: "/r/tmp"},
		{Name: "var", Source: "/r/var"},
	}
}

func host() Host {
	return Host{Home: "/home/u", HomeReal: "/home/u", Cwd: "/home/u/game", UID: 1000, RuntimeDir: "/run/user/1000",
		Exists: []string{"/dev", "/etc/localtime", "/etc/passwd", "/media", "/proc", "/run/dbus/system_bus_socket", "/run/nvidia-persistenced", "/run/udev", "/sys",
			"/tmp", "/var/tmp"}}
}

// show writes operations as short lines that a table can name.
func show(ops []mount.Op) []string {
	var out []string
	for _, op := range ops {
		s := string(op.Kind) + " " + op.Target
		switch {
		case op.Kind == mount.Symlink:
			s += " -> " + op.Text
		case op.Kind == mount.Bind && op.ReadOnly:
			s += " < " + op.Source + " ro"
		case op.Kind == mount.Bind:
			s += " < " + op.Source
		}
		out = append(out, s)
	}
	return out
}

func TestCompose(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Input)
		want   []string // lines that must be there, in this order
		not    []string // beginnings of lines that must not
	}{
		{"plain", func(in *Input) { in.LdSoCache = "/cache/ld.so.cache" }, []string{
			"bind /app < /r/app ro", "symlink /bin -> usr/bin", "bind /lib < /r/lib ro", "bind /usr < /r/usr ro",
			"dir /run", "bind /run/dbus/system_bus_socket < /run/dbus/system_bus_socket", "bind /run/udev < /run/udev ro", "bind /run/nvidia-persistenced < /run/nvidia-persistenced ro",
			"bind /etc < /r/etc ro", "bind /var < /r/var ro", "room /etc", "room /var", "symlink /var/run -> /run", "symlink /var/lock -> /run/lock",
			"bind /dev < /dev", "bind /home/u < /home/u", "bind /media < /media", "bind /proc < /proc",
			"bind /run/user/1000 < /run/user/1000", "bind /sys < /sys", "bind /tmp < /tmp", "bind /var/tmp < /var/tmp",
			"bind /etc/localtime < /etc/localtime ro", "bind /etc/passwd < /etc/passwd ro",
			"bind /etc/ld.so.cache < /cache/ld.so.cache ro",
		}, []string{"bind /boot", "bind /home <", "symlink /etc", "room /usr", "room /app", "tmpfs", "seal",
			"bind /home/u/game", "bind /mnt", "bind / ", "dir /tmp"}},
		{"a PID namespace", func(in *Input) { in.OwnProc = true }, []string{"bind /media < /media", "proc /proc"}, []string{"bind /proc"}},
		{"cache of the runtime", func(*Input) {}, nil, []string{"bind /etc/ld.so.cache"}},
		{"a capsule", func(in *Input) {
			in.Capsule = []mount.Op{{Kind: mount.Symlink, Target: "/etc/vulkan/layer.d/host-x.json", Text: "/usr/lib/capsule/x.json"},
				{Kind: mount.Dir, Target: "/usr/lib/capsule/x86_64-linux-gnu"}}
		}, []string{"bind /usr < /r/usr ro", "room /usr/lib", "room /etc", "tmpfs /usr/lib/capsule", "bind /etc/passwd < /etc/passwd ro",
			"symlink /etc/vulkan/layer.d/host-x.json -> /usr/lib/capsule/x.json", "dir /usr/lib/capsule/x86_64-linux-gnu", "seal /usr/lib/capsule"}, nil},
		{"something that the runtime's /app does not have", func(in *Input) { in.Binds = []Bind{{Src: "/app/x/y", Missing: true}} },
			[]string{"bind /app < /r/app ro", "room /app", "bind /app/x/y < /app/x/y"}, nil},
		{"home below /var/home", func(in *Input) {
			in.Host.Home, in.Host.HomeReal, in.Host.Cwd = "/home/u", "/var/home/u", "/var/home/u/x"
		}, []string{"bind /home/u < /home/u", "bind /var/home/u < /var/home/u"}, []string{"bind /var/home/u/x"}},
		{"cwd is the root", func(in *Input) { in.Host.Cwd = "/" }, []string{"bind /home/u < /home/u"}, []string{"bind / ", "bind  "}},
		{"cwd above home", func(in *Input) { in.Host.Cwd = "/home" }, []string{"bind /home < /home"}, []string{"bind /home/u "}},
		{"cwd below tmp", func(in *Input) { in.Host.Cwd = "/tmp/x" }, []string{"bind /tmp < /tmp"}, []string{"bind /tmp/x"}},
		{"cwd elsewhere", func(in *Input) { in.Host.Cwd = "/data/games" }, []string{"bind /data/games < /data/games", "bind /dev < /dev"}, nil},
		{"cwd has home's name at its end", func(in *Input) { in.Host.Cwd = "/home/user2" },
			[]string{"bind /home/u < /home/u", "bind /home/user2 < /home/user2"}, nil},
		{"cwd below /usr, bound there by the user", func(in *Input) {
			in.Host.Cwd = "/usr/src/x"
			in.Binds = []Bind{{Src: "/usr/src"}}
		}, []string{"bind /usr/src < /usr/src"}, nil},
		{"HOME=/root", func(in *Input) { in.Host.Home, in.Host.HomeReal, in.Host.Cwd = "/root", "/root", "/root" },
			[]string{"bind /root < /root"}, nil},
		{"no home", func(in *Input) { in.Host.Home, in.Host.HomeReal, in.Host.Cwd = "", "", "/" }, nil, []string{"bind /home"}},
		{"home is the root", func(in *Input) { in.Host.Home, in.Host.HomeReal, in.Host.Cwd = "/", "/", "/" }, nil, []string{"bind / "}},
		{"home of the runtime", func(in *Input) { in.Host.Home, in.Host.HomeReal, in.Host.Cwd = "/usr/games", "/usr/games", "/" },
			[]string{"bind /usr < /r/usr ro"}, []string{"bind /usr/games"}},
		{"home is a directory of ours", func(in *Input) { in.Host.Home, in.Host.HomeReal, in.Host.Cwd = "/run", "/var", "/" },
			[]string{"dir /run", "bind /var < /r/var ro"}, []string{"bind /run <", "bind /var < /var"}},
		{"no runtime directory", func(in *Input) { in.Host.RuntimeDir = "" }, []string{"dir /run/user/1000"}, []string{"bind /run/user"}},
		{"runtime directory in /tmp", func(in *Input) { in.Host.RuntimeDir = "/tmp/xdg" }, []string{"bind /tmp < /tmp"},
			[]string{"bind /tmp/xdg", "dir /run/user"}},
		{"xauthority outside", func(in *Input) { in.Host.Files = []string{"/home/u/.Xauthority", "/var/run/lightdm/u/xauth"} },
			[]string{"symlink /var/run -> /run", "bind /var/run/lightdm/u/xauth < /var/run/lightdm/u/xauth"}, []string{"bind /home/u/.X"}},
		{"private home", func(in *Input) {
			in.PrivateHome, in.Host.HomeFiles = "/p", []string{"/home/u/.Xauthority", "/home/u/game/x"}
			in.Host.Files = []string{"/home/u/.Xauthority", "/home/u/steam/overlay.so", "/tmp/x"}
		}, []string{"bind /tmp < /tmp", "bind /home/u < /p", "bind /home/u/game < /home/u/game", "bind /home/u/.Xauthority < /home/u/.Xauthority",
			"bind /home/u/steam/overlay.so < /home/u/steam/overlay.so"}, []string{"bind /home/u < /home/u", "bind /home/u/game/x", "bind /tmp/x"}},
		{"private home below links", func(in *Input) {
			in.PrivateHome, in.Host.HomeReal, in.Host.Cwd = "/p", "/var/home/u", "/var/home/u/x"
		}, []string{"bind /home/u < /p", "bind /var/home/u < /p", "bind /var/home/u/x < /var/home/u/x"}, nil},
		{"private home, cwd is the home", func(in *Input) { in.PrivateHome, in.Host.Cwd = "/p", "/home/u" },
			[]string{"bind /home/u < /p"}, []string{"bind /home/u < /home"}},
		{"private home, cwd above it", func(in *Input) { in.PrivateHome, in.Host.Cwd = "/p", "/home" },
			[]string{"bind /home < /home", "bind /home/u < /p"}, nil},
		{"a share behind a link", func(in *Input) {
			in.Binds = []Bind{{Src: "/data/g", Flag: "--share", Link: "/games"}, {Src: "/data/h", Flag: "--share", Link: "/home/u/h"}}
		}, []string{"bind /data/g < /data/g", "bind /games < /data/g", "bind /data/h < /data/h"}, []string{"bind /home/u/h"}},
		{"binds come last", func(in *Input) {
			in.Binds = []Bind{{Src: "/opt/a", Dst: "/data/a/", ReadOnly: true}, {Src: "/x/hosts", Dst: "/etc/mtab"}}
			in.Capsule = []mount.Op{{Kind: mount.Dir, Target: "/usr/lib/capsule/x86_64-linux-gnu"}}
		}, []string{"bind /etc/passwd < /etc/passwd ro", "dir /usr/lib/capsule/x86_64-linux-gnu", "bind /data/a < /opt/a ro", "bind /etc/mtab < /x/hosts"}, nil},
		{"host without /tmp", func(in *Input) {
			in.Host.Exists = []string{"/dev", "/proc", "/sys"}
		}, []string{"dir /tmp", "dir /var/tmp"}, []string{"bind /etc/passwd"}},
		{"runtime without etc and var", func(in *Input) { in.Top = []Top{{Name: "usr", Source: "/f"}} },
			[]string{"bind /usr < /f ro", "room /etc", "room /var", "symlink /var/lock -> /run/lock", "bind /etc/passwd < /etc/passwd ro"},
			[]string{"bind /etc <"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := Input{Top: debian(), Host: host()}
			c.change(&in)
			ops, err := Compose(in)
			must(t, err)
			got := show(ops)
			at := 0
			for _, w := range c.want {
				i := slices.Index(got[at:], w)
				if i < 0 {
					t.Fatalf("%q is missing or too early in\n%s", w, strings.Join(got, "\n"))
				}
				at += i
			}
			seen := map[string]bool{}
			for i, line := range got {
				for _, n := range c.not {
					if strings.HasPrefix(line, n) {
						t.Errorf("%q must not be there", line)
					}
				}
				if seen[ops[i].Target] && ops[i].Why != "--bind" && ops[i].Why != "--home" && ops[i].Kind != mount.Seal && ops[i].Kind != mount.Room {
					t.Errorf("%s is made twice", ops[i].Target)
				}
				seen[ops[i].Target] = true
			}
		})
	}
}

func TestComposeRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Input)
		want   string
	}{
		{"cwd below /usr", func(in *Input) { in.Host.Cwd = "/usr/src/x" },
			"the working directory /usr/src/x cannot exist inside: /usr is the runtime's"},
		{"cwd in another of the runtime's", func(in *Input) { in.Host.Cwd = "/app/x" }, "/app is the runtime's"},
		{"cwd is /etc", func(in *Input) { in.Host.Cwd = "/etc" }, "/etc is put together"},
		{"cwd is /run", func(in *Input) { in.Host.Cwd = "/run" }, "/run is put together"},
		{"cwd is the capsule", func(in *Input) { in.Host.Cwd = "/usr/lib/capsule/x" }, "/usr is the runtime's"},
		{"cwd is the capsule in a runtime without /usr", func(in *Input) { in.Top, in.Host.Cwd = nil, "/usr/lib/capsule/x" }, "is ours"},
		{"cwd is gone", func(in *Input) { in.Host.Cwd = "" }, "is gone"},
		{"cwd is unreachable", func(in *Input) { in.Host.Cwd = "(unreachable)/x" }, "is gone"},
		{"relative bind", func(in *Input) { in.Binds = []Bind{{Src: "x"}} }, "must be absolute"},
		{"private home without a home", func(in *Input) { in.PrivateHome, in.Host.Home, in.Host.HomeReal = "/p", "", "" }, "no home directory"},
		{"private home in the runtime", func(in *Input) { in.PrivateHome, in.Host.Home, in.Host.HomeReal = "/p", "/usr/games", "/usr/games" },
			"/usr is the runtime's"},
		{"share of what is ours", func(in *Input) { in.Binds = []Bind{{Src: "/run", Flag: "--share"}} }, "--share"},
		{"bind on the root", func(in *Input) { in.Binds = []Bind{{Src: "/x", Dst: "//"}} }, "would hide"},
		{"bind on /run", func(in *Input) { in.Binds = []Bind{{Src: "/x", Dst: "/run"}} }, "would hide"},
		{"bind on the capsule", func(in *Input) { in.Binds = []Bind{{Src: "/x", Dst: "/usr/lib/capsule/x"}} }, "would hide"},
		{"bind above the capsule", func(in *Input) { in.Binds = []Bind{{Src: "/x", Dst: "/usr/lib"}} }, "would hide"},
		{"bad name", func(in *Input) { in.Top = append(in.Top, Top{Name: "../x"}) }, "entry named"},
	} {
		in := Input{Top: debian(), Host: host()}
		c.change(&in)
		_, err := Compose(in)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Msg, c.want) || e.Hint == "" {
			t.Errorf("%s: %v, want %q and a hint", c.name, err, c.want)
		}
	}
}

// The same input gives the same bytes, whatever the order of the runtime's entries.
func TestDeterministic(t *testing.T) {
	var first []byte
	for i := range 20 {
		in := Input{Top: debian(), Host: host()}
		if i%2 == 1 {
			slices.Reverse(in.Top)
		}
		ops, err := Compose(in)
		must(t, err)
		b, err := json.Marshal(ops)
		must(t, err)
		if first == nil {
			first = b
		}
		if string(b) != string(first) {
			t.Fatalf("%s\ndiffers from\n%s", b, first)
		}
	}
}

func TestGather(t *testing.T) {
	d, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	must(t, os.MkdirAll(d+"/real/u", 0o755))
	must(t, os.Symlink("real", d+"/home"))
	must(t, os.WriteFile(d+"/auth", nil, 0o600))
	for _, name := range []string{"bus", "audit", "gamescope-0", "pulse", "so32", "so64", "real/u/.Xauthority"} {
		must(t, os.WriteFile(d+"/"+name, nil, 0o600))
	}
	h := Gather([]string{"HOME=" + d + "/home/u/", "HOME=/second", "XDG_RUNTIME_DIR=" + d, "XAUTHORITY=" + d + "/auth",
		"WAYLAND_DISPLAY=wayland-0", "GAMESCOPE_WAYLAND_DISPLAY=" + d + "/gamescope-0", "PULSE_SERVER={1234}unix:" + d + "/gone " + d + "/pulse",
		"LD_PRELOAD=libx.so " + d + "/so32:" + d + "/so64 /usr/$LIB/x", "LD_AUDIT=" + d + "/audit",
		"DBUS_SESSION_BUS_ADDRESS=tcp:host=x;unix:guid=1,path=" + d + "/b%75s"}, "/x")
	if h.Home != d+"/home/u" || h.HomeReal != d+"/real/u" || h.Cwd != "/x" || h.RuntimeDir != d {
		t.Errorf("%+v", h)
	}
	if want := []string{d + "/audit", d + "/auth", d + "/bus", d + "/gamescope-0", d + "/pulse", d + "/so32", d + "/so64"}; !slices.Equal(h.Files, want) {
		t.Errorf("files %q, want %q", h.Files, want)
	}
	if want := []string{d + "/home/u/.Xauthority"}; !slices.Equal(h.HomeFiles, want) {
		t.Errorf("files of the home %q, want %q", h.HomeFiles, want)
	}
	if !h.has("/proc") || !slices.IsSorted(h.Exists) {
		t.Errorf("exists: %q", h.Exists)
	}
	for _, home := range []string{"", "relative", d + "/none", d + "/auth"} {
		if h := Gather([]string{"HOME=" + home, "XAUTHORITY="}, "/"); h.Home != "" || h.HomeReal != "" || h.Files != nil {
			t.Errorf("HOME=%q: %+v", home, h)
		}
	}
}
