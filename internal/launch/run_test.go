package launch

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/mount"
)

func TestExitStatus(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		wantRun(t, start(t, mode, "true"), "", 0)
		wantRun(t, start(t, mode, "/bin/sh", "-c", "exit 42"), "", 42)
		wantRun(t, start(t, mode, "/bin/sh", "-c", "kill -KILL $$"), "", 137)
		wantRun(t, start(t, mode, "/bin/sh", "-c", "kill -TERM $$"), "", 143)
		wantRun(t, start(t, mode, "/bin/sh", "-c", "kill -INT $$"), "", 130)
		wantRun(t, start(t, mode, "/bin/sh", "-c", "kill -40 $$"), "", 128+40)
		wantRun(t, start(t, mode, "/bin/sh", "-c", "kill -PIPE $$"), "", 141)
	})
}

func TestAsIfDirect(t *testing.T) {
	script := map[string]string{
		"user":      "id -u; id -g",
		"umask":     "umask",
		"limits":    "ulimit -n; ulimit -Hn; ulimit -s; ulimit -c",
		"directory": "pwd -P",
		"arguments": `printf '%s\n' "$0" "$@"`,
		"signals":   "grep -E '^Sig(Blk|Ign|Cgt):' /proc/self/status",
		"rights":    "grep -E '^(CapInh|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status",
		"session":   "cut -d' ' -f5,6,7,8 /proc/self/stat | tr -s ' ' '\\n' | sed \"s/^$(cut -d' ' -f1 /proc/self/stat)$/SELF/\" | tail -2",
		"nice":      "nice; cat /proc/self/oom_score_adj; cat /proc/self/timerslack_ns 2>/dev/null || :",
		// Inherited descriptors keep their numbers; none of ours is among them. ls has one of its own.
		"descriptors": "ls /proc/self/fd | sort -n | tr '\\n' ' '; cat <&5",
		"environment": "env | grep -v -E '^(_|OLDPWD|PWD|SHLVL)=' | sort",
	}
	// Each prefix changes something before the launcher starts that must be inherited.
	prefix := map[string][]string{
		"plain":    nil,
		"nohup":    {"sh", "-c", `trap "" HUP; exec "$@"`, "-"},
		"no INT":   {"sh", "-c", `trap "" INT QUIT; exec "$@"`, "-"},
		"no TSTP":  {"sh", "-c", `trap "" TSTP TTIN; exec "$@"`, "-"},
		"umask":    {"sh", "-c", `umask 027; exec "$@"`, "-"},
		"limits":   {"sh", "-c", `ulimit -Sn 77; ulimit -c 0; exec "$@"`, "-"},
		"nice":     {"nice", "-n", "7"},
		"no stdin": {"sh", "-c", `exec "$@" </dev/null`, "-"},
		"fds":      {"sh", "-c", `exec "$@" 3</dev/null 7</dev/null`, "-"},
	}
	game := func(text string) []string { return []string{"sh", "-c", text, "name", "a b", ""} }
	// run starts argv with a pipe to read from as descriptor 5.
	run := func(t *testing.T, env, argv []string) string {
		r, w, err := os.Pipe()
		must(t, err)
		defer r.Close()
		w.WriteString("from five\n")
		w.Close()
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env, cmd.Dir, cmd.ExtraFiles = env, "/tmp", []*os.File{nil, nil, r}
		out, errs, code := result(t, cmd)
		return fmt.Sprintf("%d\n%s\n%s", code, out, errs)
	}
	eachMode(t, func(t *testing.T, mode string) {
		us := start(t, mode)
		self, drop := []string{public(t)}, []string(nil)
		if strings.HasPrefix(mode, "nobody") {
			self, drop = us.Args, us.Args[:len(us.Args)-1]
		}
		// The same command with and without us: whatever the game can see of its surroundings must not differ.
		for pname, pre := range prefix {
			for sname, text := range script {
				want := run(t, os.Environ(), slices.Concat(pre, drop, game(text)))
				got := run(t, us.Env, slices.Concat(pre, self, game(text)))
				if got != want {
					t.Errorf("%s, started with %s:\ngot  %q\nwant %q", sname, pname, got, want)
				}
			}
		}
	})
}

// TestNothingLeaks looks at what the game's process is when it runs: no rights over the namespace, no old root.
func TestNothingLeaks(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		out, errs, code := result(t, start(t, mode, "sh", "-c", "readlink /proc/self/root; grep -c -E ' /(old|new)[ /]' /proc/self/mountinfo; grep CapEff /proc/self/status"))
		if code != 0 && errs != "" {
			t.Fatal(errs)
		}
		lines := strings.Split(out, "\n")
		if lines[0] != "/" || lines[1] != "0" {
			t.Errorf("root %q, %q mounts of the old root", lines[0], lines[1])
		}
		if strings.HasPrefix(mode, "nobody") && !strings.HasSuffix(lines[2], "\t0000000000000000") {
			t.Errorf("the game has capabilities: %s", lines[2])
		}
	})
}

func TestNotRun(t *testing.T) {
	dir, err := os.MkdirTemp("", "capsule-notrun-")
	must(t, err)
	defer os.RemoveAll(dir)
	must(t, os.Chmod(dir, 0o755))
	file := func(name, text string, mode os.FileMode) string {
		must(t, os.WriteFile(dir+"/"+name, []byte(text), mode))
		return dir + "/" + name
	}
	plain := file("plain", "hello\n", 0o644)
	garbage := file("garbage", "\x7fELF nonsense", 0o755)
	orphan := file("orphan", "#!/no/such/interpreter -x\n", 0o755)
	text := file("text", "echo hello\n", 0o755)
	file("found", "", 0o644)
	badOps := file("ops", `[{"kind":"bind","source":"/nonexistent/thing","target":"/x"}]`, 0o644)
	for _, c := range []struct {
		name, argv, env string
		code            int
		msg, hint       string
	}{
		{"not found", "no-such-command", "PATH=/usr/bin:/bin", 127, "no-such-command: command not found", "PATH=/usr/bin:/bin"},
		{"no such file", "/no/such/file", "", 127, "\"/no/such/file\": no such file", "--bind"},
		{"empty", "", "", 127, "\"\": no such file", ""},
		{"not executable", plain, "", 126, "permission denied", "execute permission"},
		{"directory", "/usr", "", 126, "permission denied", "directory"},
		{"not executable in PATH", "found", "PATH=" + dir + ":/nowhere", 126, dir + "/found: cannot be executed: permission denied", ""},
		{"garbage", garbage, "", 126, "not a program this machine knows", "architecture"},
		{"text", text, "", 126, "not a program this machine knows", "#!"},
		{"orphan", orphan, "", 126, "interpreter is missing", "/no/such/interpreter"},
		{"directory gone", "true", envDir + "=/no/such/dir", 125, "change to /no/such/dir inside the runtime: no such file", "--bind"},
		{"mount", "true", envOps + "=" + badOps, 125, "bind /nonexistent/thing on /x: open source: no such file", "must exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachMode(t, func(t *testing.T, mode string) {
				cmd := start(t, mode, c.argv)
				if c.env != "" {
					cmd.Env = append(cmd.Env, c.env)
				}
				if strings.HasPrefix(c.env, "PATH=") && strings.HasPrefix(mode, "nobody") {
					cmd.Path = "/usr/bin/setpriv"
				}
				out, errs, code := result(t, cmd)
				msg, hint, _ := strings.Cut(errs, "\n")
				if code != c.code || out != "" || !strings.Contains(msg, c.msg) || !strings.Contains(hint, c.hint) {
					t.Errorf("got %d %q\nwant %d %q, %q", code, errs, c.code, c.msg, c.hint)
				}
			})
		})
	}
}

// TestMountsAreThere starts with a bind over a file of the real tree and reads it as the game.
func TestMountsAreThere(t *testing.T) {
	dir, err := os.MkdirTemp("", "capsule-there-")
	must(t, err)
	defer os.RemoveAll(dir)
	must(t, os.Chmod(dir, 0o755))
	must(t, os.WriteFile(dir+"/version", []byte("of the capsule\n"), 0o644))
	b, err := json.Marshal([]mount.Op{
		{Kind: mount.Bind, Source: dir + "/version", Target: "/etc/debian_version", ReadOnly: true},
		{Kind: mount.File, Target: "/run-made", Text: "made\n"},
	})
	must(t, err)
	must(t, os.WriteFile(dir+"/ops", b, 0o644))
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		must(t, os.WriteFile(dir+"/ops", []byte(strings.ReplaceAll(string(b), "debian_version", "os-release")), 0o644))
	}
	eachMode(t, func(t *testing.T, mode string) {
		cmd := start(t, mode, "sh", "-c", "cat /etc/debian_version /run-made")
		cmd.Env = append(cmd.Env, envOps+"="+dir+"/ops")
		wantRun(t, cmd, "of the capsule\nmade\n", 0)
	})
	if got, _ := os.ReadFile("/etc/debian_version"); string(got) == "of the capsule\n" {
		t.Error("the host sees the bind")
	}
}
