package configs

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// checker refuses what would only fail, or be overlooked, when a host is searched.
type checker struct {
	file string
	text string
	at   []header
}

func (c *checker) wrong(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", c.file, line, fmt.Sprintf(format, args...))
}

// check also notes which file the rules are of.
func (r *Rules) check(c *checker) error {
	for i := range r.Families {
		r.Families[i].File = c.file
	}
	for i := range r.Opens {
		r.Opens[i].File = c.file
	}
	for _, d := range r.Directories {
		if !path.IsAbs(d) && !strings.HasPrefix(d, "$HOME/") {
			return c.wrong(c.key("directories"), "directories: %q is not an absolute path, nor below $HOME", d)
		}
	}
	for i, l := range slices.Concat(r.Libc, r.Interop) {
		key := "libc"
		if i >= len(r.Libc) {
			key = "interop"
		}
		if l == "" || strings.ContainsAny(l, "/\x00") {
			return c.wrong(c.key(key), "%s: %q is not a SONAME", key, l)
		}
	}
	for i := range r.Families {
		if err := c.family(&r.Families[i], i); err != nil {
			return err
		}
	}
	for i := range r.Opens {
		if message := r.Opens[i].wrong(); message != "" {
			return c.wrong(c.lineOf("", 0, "opens", i), "%s", message)
		}
	}
	if message := r.Constants.wrong(); message != "" {
		return c.wrong(c.table("constants"), "constants: %s", message)
	}
	for i := range r.Data {
		if message := r.Data[i].wrong(); message != "" {
			return c.wrong(c.lineOf("", 0, "data", i), "data %s: %s", r.Data[i].Path, message)
		}
	}
	for i := range r.Programs {
		if message := r.Programs[i].wrong(); message != "" {
			return c.wrong(c.lineOf("", 0, "program", i), "program %q: %s", r.Programs[i].Name, message)
		}
	}
	for i := range r.Tools {
		if message := r.Tools[i].wrong(); message != "" {
			return c.wrong(c.lineOf("", 0, "tool", i), "tool %s: %s", r.Tools[i].Path, message)
		}
	}
	return nil
}

func (c *checker) family(f *Family, i int) error {
	if f.Name == "" {
		return c.wrong(c.lineOf("", 0, "family", i), "a family has no name")
	}
	if f.Extend && f.Remove {
		return c.wrong(c.lineOf("", 0, "family", i), "family %s: extend and remove exclude each other", f.Name)
	}
	report := func(table string, n int, message string) error {
		return c.wrong(c.lineOf("family", i, "family."+table, n), "family %s: %s", f.Name, message)
	}
	for n, l := range slices.Concat(f.FrontEnds, f.Loaders) {
		if l == "" || strings.ContainsAny(l, "/\x00") {
			return c.wrong(c.lineOf("", 0, "family", i), "family %s: name %d, %q, is not a SONAME", f.Name, n+1, l)
		}
	}
	for n := range f.Criteria {
		if m := f.Criteria[n].wrong(); m != "" {
			return report("criteria", n, m)
		}
	}
	for n, l := range f.Libraries {
		if m := pattern(l.Role, l.Match); m != "" {
			return report("libraries", n, m)
		}
	}
	for n, m := range f.Modules {
		if w := pattern(m.Role, m.Match); w != "" {
			return report("modules", n, w)
		}
		if m.Directory == "" || path.IsAbs(m.Directory) || strings.Contains(m.Directory, "..") {
			return report("modules", n, "directory must be a relative path")
		}
		if m.Driver && m.Variable == "" {
			return report("modules", n, "driver needs a variable that tells a loader of them")
		}
	}
	for n := range f.Manifests {
		if w := f.Manifests[n].wrong(); w != "" {
			return report("manifests", n, w)
		}
	}
	return nil
}

func (k *Criterion) wrong() string {
	numbers := k.LoaderFile != "" || k.DriverSymbol != ""
	kinds := 0
	for _, has := range []bool{k.Exports != "", k.Needs != "", numbers} {
		if has {
			kinds++
		}
	}
	if k.Loader == "" || k.Why == "" || kinds != 1 {
		return "criteria need a loader, a reason (why), and one of exports, needs, and loader-file with driver-symbol"
	}
	if !numbers {
		return ""
	}
	for _, text := range []string{k.LoaderFile, k.DriverSymbol} {
		if re, err := regexp.Compile(text); err != nil || re.NumSubexp() != 1 {
			return fmt.Sprintf("%q is not a regular expression with one group", text)
		}
	}
	return ""
}

func (m *Manifests) wrong() string {
	if m.Role == "" || m.Kind == "" || m.Directory == "" || len(m.Below) == 0 {
		return "manifests need role, kind, directory and below"
	}
	if path.IsAbs(m.Directory) || slices.Contains(strings.Split(m.Directory, "/"), "..") {
		return "directory must be a relative path" // below /etc, for layers of the host
	}
	if strings.ContainsAny(m.Kind, "/\x00") || m.Kind == "." || m.Kind == ".." {
		return fmt.Sprintf("kind %q is not a file name", m.Kind)
	}
	switch m.Format {
	case "", "json":
		if len(m.Key) == 0 {
			return "manifests in JSON need a key"
		}
	case "line":
		if len(m.Key) > 0 {
			return "manifests of one line have no key"
		}
	default:
		return fmt.Sprintf("format %q is neither json nor line", m.Format)
	}
	for _, p := range m.Match {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return fmt.Sprintf("pattern %q", p)
		}
	}
	if _, err := regexp.Compile(m.FormatVersion); err != nil {
		return fmt.Sprintf("format-version %q is not a regular expression", m.FormatVersion)
	}
	if m.Format == "line" && (m.FormatVersion != "" || len(m.Required) > 0) ||
		slices.ContainsFunc(m.Required, func(key []string) bool { return len(key) == 0 }) {
		return "format-version and required are for manifests in JSON, and a required key has a name"
	}
	if m.BothSides != (len(m.NameKey) > 0) {
		return "both-sides and name-key go together"
	}
	if m.ListKey != "" && (!m.BothSides || len(m.Key) < 2) {
		return "list-key is for both-sides, with a key of two parts"
	}
	if m.Driver && len(m.Variables) == 0 && m.DirectoryVariable == "" && !m.BothSides {
		return "driver needs variables that tell a loader of them"
	}
	if (m.Settings != "") != (len(m.SettingsBelow) > 0) || path.IsAbs(m.Settings) || slices.Contains(strings.Split(m.Settings, "/"), "..") {
		return "settings must be a relative path, and go together with settings-below"
	}
	for _, b := range slices.Concat(m.Below, m.SettingsBelow) {
		switch b {
		case "$XDG_CONFIG_HOME", "$XDG_CONFIG_DIRS", "$XDG_DATA_HOME", "$XDG_DATA_DIRS":
		default:
			if !path.IsAbs(b) && !strings.HasPrefix(b, "$HOME/") {
				return fmt.Sprintf("below: %q is neither an absolute path nor a known variable", b)
			}
		}
	}
	return ""
}

func (d *Data) wrong() string {
	if d.Remove {
		return ""
	}
	at, beside := strings.CutPrefix(d.Path, Prefix)
	if beside && len(d.Libraries) == 0 {
		return Prefix + " needs libraries"
	}
	if !path.IsAbs(at) || path.Clean(at) != at || at == "/" || d.Why == "" {
		return "an absolute, clean path and a reason (why) are needed"
	}
	for _, p := range append([]string{d.Path, d.Match}, d.Libraries...) {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Sprintf("pattern %q: %v", p, err)
		}
	}
	return ""
}

func pattern(role, match string) string {
	if role == "" || match == "" {
		return "role and match are needed"
	}
	if _, err := path.Match(match, ""); err != nil {
		return fmt.Sprintf("pattern %q: %v", match, err)
	}
	return ""
}
