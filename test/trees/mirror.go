package trees

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A source is one line of apt's configuration, as far as it matters here.
type source struct {
	uri        string
	suite      string
	components []string
	signedBy   string
}

// Mirror returns the URI of the Debian archive that this machine's apt uses, or $CAPSULE_MIRROR.
func Mirror() (string, error) {
	if m := os.Getenv("CAPSULE_MIRROR"); m != "" {
		return m, nil
	}
	return mirrorFrom("/etc/apt")
}

func mirrorFrom(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "sources.list.d", "*"))
	if err != nil {
		return "", fmt.Errorf("list apt's sources: %w", err)
	}
	files = append([]string{filepath.Join(dir, "sources.list")}, files...)
	best, score := "", 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return "", fmt.Errorf("read apt's sources: %w", err)
		}
		var found []source
		switch filepath.Ext(f) {
		case ".list":
			found = parseList(string(text))
		case ".sources":
			found = parseDeb822(string(text))
		}
		for _, s := range found {
			if n := s.score(); n > score {
				best, score = s.uri, n
			}
		}
	}
	if score == 0 {
		return "", fmt.Errorf("no entry of %s is the main Debian archive; set CAPSULE_MIRROR to its URI", dir)
	}
	return best, nil
}

// score says how surely a source is the main Debian archive; 0 means it is not. Third parties have other
// suites ("stable-pgdg", "nodistro") or other components; those which use Debian's names for both lose
// against an entry whose path is Debian's.
func (s source) score() int {
	suites := []string{"bullseye", "bookworm", "trixie", "forky", "sid", "oldoldstable", "oldstable", "stable", "testing", "unstable"}
	switch {
	case !slices.Contains(suites, s.suite), !slices.Contains(s.components, "main"), strings.Contains(s.uri, "security"):
		return 0
	}
	n := 1
	if strings.HasSuffix(strings.TrimRight(s.uri, "/"), "/debian") {
		n += 2
	}
	if strings.Contains(s.signedBy, "debian-archive") {
		n++
	}
	return n
}

// parseList reads sources.list(5)'s one-line format: deb [option=value …] URI suite component….
func parseList(text string) []source {
	var out []source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if kind != "deb" {
			continue
		}
		var s source
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			options, after, ok := strings.Cut(rest, "]")
			if !ok {
				continue
			}
			s.signedBy, rest = options, after
		}
		f := strings.Fields(rest)
		if len(f) < 3 {
			continue
		}
		s.uri, s.suite, s.components = f[0], f[1], f[2:]
		out = append(out, s)
	}
	return out
}

// parseDeb822 reads sources.list(5)'s paragraph format.
func parseDeb822(text string) []source {
	var out []source
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimRight(line, " \t\r\n"))
		}
	}
	for _, paragraph := range strings.Split(strings.Join(lines, "\n"), "\n\n") {
		fields := map[string]string{}
		key := ""
		for line := range strings.Lines(paragraph) {
			if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
				fields[key] += " " + strings.TrimSpace(line)
				continue
			}
			name, value, _ := strings.Cut(line, ":")
			key = strings.ToLower(strings.TrimSpace(name))
			fields[key] = strings.TrimSpace(value)
		}
		if !slices.Contains(strings.Fields(fields["types"]), "deb") || strings.EqualFold(fields["enabled"], "no") {
			continue
		}
		for _, uri := range strings.Fields(fields["uris"]) {
			for _, suite := range strings.Fields(fields["suites"]) {
				out = append(out, source{uri: uri, suite: suite,
					components: strings.Fields(fields["components"]), signedBy: fields["signed-by"]})
			}
		}
	}
	return out
}

// aptProxies returns apt options for the proxies that the machine's apt is told to use: mmdebstrap's apt
// reads none of the machine's configuration.
func aptProxies() []string {
	var out []string
	for _, key := range []string{"Acquire::http::Proxy", "Acquire::https::Proxy"} {
		text, err := exec.Command("apt-config", "shell", "V", key).Output()
		value := strings.Trim(strings.TrimPrefix(strings.TrimSpace(string(text)), "V="), "'")
		if err == nil && value != "" && !strings.ContainsAny(value, `"`+"\n") {
			out = append(out, fmt.Sprintf("--aptopt=%s %q", key, value))
		}
	}
	return out
}
