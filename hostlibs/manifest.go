package hostlibs

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/arch"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/ldso"
)

// maxManifest is far above any manifest seen (some hundred bytes).
const maxManifest = 1 << 20

// maxLine is PATH_MAX.
const maxLine = 4096

// manifests reads the files that name drivers.
func (d *discovery) manifests() error {
	for i := range d.rules.Families {
		f := &d.rules.Families[i]
		for j := range f.Manifests {
			rule := &f.Manifests[j]
			for _, file := range d.manifestFiles(rule) {
				several, err := d.manifest(f.Name, rule, file)
				if rule.BothSides && err != nil {
					d.withoutLayer(f.Name, err)
				} else if err := d.tolerate(f, err, d.named(rule, file)); err != nil {
					return err
				}
				if err != nil && len(several) == 0 {
					several = []*Manifest{{Kind: rule.Kind, Path: file, API: f.Name, Rule: rule, Skipped: err.Error()}}
				}
				for _, m := range several {
					d.found = append(d.found, m)
					d.any = d.any || m.Library != nil
					if m.lacks && !rule.BothSides {
						d.leaveOut(f, d.says(m))
					}
				}
				if rule.First && len(several) > 0 { // whatever it is: a loader looks no further
					break
				}
			}
		}
	}
	return nil
}

// manifestFiles lists the files to read, in the order of the original loader, each once. Of a format that is nothing
// but a library's name, a variable may hold such a name in place of a file's.
func (d *discovery) manifestFiles(rule *configs.Manifests) []string {
	var files []string
	listed := map[string]bool{} // a hostile directory has any number of names
	add := func(p string) {
		if path.IsAbs(p) {
			p = path.Clean(p)
		} else if !d.namesLibrary(rule, p) {
			return
		}
		if !listed[p] {
			listed[p] = true
			files = append(files, p)
		}
	}
	addDir := func(dir string) bool {
		names := d.manifestNames(rule, dir)
		for _, n := range names {
			add(path.Join(dir, n))
		}
		return len(names) > 0
	}
	addList := func(value string) {
		for _, p := range list(value) { // each a file, or a directory of such
			if !addDir(p) {
				add(p)
			}
		}
	}
	for _, name := range rule.FilesEnvironment {
		if v := d.getenv(name); v != "" {
			addList(v)
			return d.andBesides(files, rule)
		}
	}
	addList(d.getenv(rule.AddEnvironment))
	dirs := list(d.getenv(rule.DirectoriesEnvironment))
	if len(dirs) == 0 {
		dirs = d.manifestDirs(rule)
	}
	for _, dir := range append(d.layerDirs(rule), dirs...) {
		addDir(dir)
	}
	if s := d.settingsOf(rule); s != nil { // which may name any file
		for _, m := range s.Manifests {
			if !slices.ContainsFunc(d.found, func(f *Manifest) bool { return f.Path == m }) {
				add(m)
			}
		}
	}
	return files
}

// layerDirs are the directories that a layer names. The loader looks there alone, for some programs or for all; what is
// found here is nothing but known then.
func (d *discovery) layerDirs(rule *configs.Manifests) []string {
	var out []string
	for _, m := range d.found {
		if rule.DirectoriesLayer != "" && m.Name == rule.DirectoriesLayer {
			out = append(out, m.Directories...)
		}
	}
	return out
}

// namesLibrary tells whether an element of a variable is a library itself and no manifest.
func (d *discovery) namesLibrary(rule *configs.Manifests, element string) bool {
	return rule.Format == formatLine && !slices.ContainsFunc(d.patterns(rule), func(p string) bool {
		ok, _ := path.Match(p, path.Base(element))
		return ok
	})
}

// andBesides is for OCL_ICD_FILENAMES, which counts whatever else is set; VK_ADD_DRIVER_FILES does not.
func (d *discovery) andBesides(files []string, rule *configs.Manifests) []string {
	if rule.Format == formatLine {
		for _, p := range list(d.getenv(rule.AddEnvironment)) {
			if !slices.Contains(files, p) {
				files = append(files, p)
			}
		}
	}
	return files
}

// manifestNames lists the manifests in a directory: those that match one pattern, sorted, then those of the next.
func (d *discovery) manifestNames(rule *configs.Manifests, dir string) []string {
	var names []string
	listed := map[string]bool{}
	for _, p := range d.patterns(rule) {
		for _, n := range d.matching(dir, p) {
			if !listed[n] {
				listed[n] = true
				names = append(names, n)
			}
		}
	}
	return names
}

// xrNames are what OpenXR's loader calls the architectures (OpenXR specification, loader document, "Architecture
// Identifiers"), where that is not glibc's name.
var xrNames = map[string]string{"i386": "i686"}

func (d *discovery) patterns(rule *configs.Manifests) []string {
	if len(rule.Match) == 0 {
		return []string{"*.json"}
	}
	name := d.arch.Name
	if n, ok := xrNames[name]; ok {
		name = n
	}
	var out []string
	for _, p := range rule.Match {
		out = append(out, strings.ReplaceAll(p, "$ARCH", name))
	}
	return out
}

// manifestDirs expands the variables of the XDG Base Directory Specification 0.8, with its defaults.
func (d *discovery) manifestDirs(rule *configs.Manifests) []string {
	home := func(variable, below string) string {
		if v := d.getenv(variable); variable != "" && v != "" {
			return v
		}
		if h := d.getenv("HOME"); h != "" {
			return path.Join(h, below)
		}
		return ""
	}
	var dirs []string
	for _, b := range rule.Below {
		if below, ok := strings.CutPrefix(b, "$HOME/"); ok {
			b = home("", below)
		}
		switch b {
		case "$XDG_CONFIG_HOME":
			b = home("XDG_CONFIG_HOME", ".config")
		case "$XDG_DATA_HOME":
			b = home("XDG_DATA_HOME", ".local/share")
		case "$XDG_CONFIG_DIRS":
			b = cmp.Or(d.getenv("XDG_CONFIG_DIRS"), "/etc/xdg")
		case "$XDG_DATA_DIRS":
			b = cmp.Or(d.getenv("XDG_DATA_DIRS"), "/usr/local/share:/usr/share")
		}
		for _, p := range list(b) {
			if dir := path.Join(p, rule.Directory); !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// manifest reads one file. Where only the first file counts, one that is not there is none.
func (d *discovery) manifest(api string, rule *configs.Manifests, file string) ([]*Manifest, error) {
	if d.namesLibrary(rule, file) {
		m := &Manifest{Kind: rule.Kind, LibraryPath: file, Opens: file, API: api, Text: []byte(file + "\n"), Rule: rule}
		return []*Manifest{m}, d.manifestLibrary(m, "named by an environment variable of "+api)
	}
	data, err := d.root.ReadFile(file, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		if rule.First {
			return nil, nil
		}
		m := &Manifest{Kind: rule.Kind, Path: file, API: api, Rule: rule, Skipped: "there is no such file, or it is a link to nothing", lacks: true}
		return []*Manifest{m}, nil
	}
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("host manifest: %w", err), "the file must be readable, or be removed")
	}
	several, err := d.understand(api, rule, file, data)
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("host manifest %s: %w", d.outside(file), err),
			"correct or remove the file, or install the package that it belongs to again")
	}
	why := "library_path of " + file
	if rule.Format == formatLine {
		why = "named in " + file
	}
	for _, m := range several {
		if by := d.filteredBy(rule, file); by != "" && (m.Skipped == "" || m.lacks) {
			m.Skipped, m.lacks = "left out by "+by, false
		}
		if m.Skipped != "" {
			continue
		}
		if err := d.manifestLibrary(m, why); err != nil && rule.BothSides { // others in the file may be whole
			d.withoutLayer(api, err)
		} else if err != nil {
			return several, err
		}
	}
	return several, nil
}

// manifestLibrary adds what a manifest names.
func (d *discovery) manifestLibrary(m *Manifest, why string) error {
	lib, how, err := d.library(m)
	if err != nil || m.Skipped != "" {
		return err
	}
	use := Use{API: m.API, Role: Role(m.Rule.Role), Driver: m.Rule.Driver && !m.Rule.BothSides, Layer: m.Rule.BothSides, manifest: true}
	if m.Library, err = d.addRootFile(lib, how, use, why); err != nil {
		m.Skipped = err.Error()
	}
	return err
}

const namesNone = "names no library"

// understand reads a manifest's text, which may be that of several layers.
func (d *discovery) understand(api string, rule *configs.Manifests, file string, data []byte) ([]*Manifest, error) {
	if rule.Format == formatLine {
		m := &Manifest{Kind: rule.Kind, Path: file, API: api, Text: data, Rule: rule}
		var err error
		if m.LibraryPath, err = parseLine(data); err != nil {
			return nil, err
		}
		d.place(m, "")
		return []*Manifest{m}, nil
	}
	data = jsonValue(data)
	parts, err := parseManifest(data, rule)
	if err != nil {
		return nil, err
	}
	var out []*Manifest
	for _, p := range parts {
		m := &Manifest{Kind: rule.Kind, Path: file, API: api, Text: data, Rule: rule, LibraryPath: p.library, Name: p.name, Key: p.key}
		for _, dir := range p.directories {
			m.Directories = append(m.Directories, list(dir)...)
		}
		d.place(m, p.arch)
		out = append(out, m)
	}
	return out, nil
}

// place says what a loader opens for a manifest of a library_arch, or why nothing.
func (d *discovery) place(m *Manifest, libraryArch string) {
	bits := "32"
	if d.arch.Class == elf.ELFCLASS64 {
		bits = "64"
	}
	m.Opens = m.LibraryPath
	switch {
	case m.LibraryPath == "":
		m.Skipped, m.lacks = namesNone, true
	case libraryArch != "" && libraryArch != bits:
		m.Skipped = "for another architecture (library_arch " + libraryArch + ")"
	case strings.Contains(m.Opens, "/") && !path.IsAbs(m.Opens) && !m.Rule.Relative:
		m.Skipped, m.lacks = "library_path is relative to the working directory", true
	case strings.Contains(m.Opens, "/") && !path.IsAbs(m.Opens):
		m.Opens = path.Dir(m.Path) + "/" + m.Opens
	}
}

// formatLine is a manifest whose first line is the library.
const formatLine = "line"

// parseLine returns the first line of a manifest without white space around it. An empty file names nothing.
func parseLine(data []byte) (string, error) {
	line, _, _ := strings.Cut(string(data), "\n")
	line = strings.TrimSpace(line)
	if len(line) > maxLine || strings.IndexByte(line, 0) >= 0 {
		return "", fmt.Errorf("%w: the first line is no path", ErrManifest)
	}
	return line, nil
}

// library finds what a manifest names, or says in m.Skipped why not.
func (d *discovery) library(m *Manifest) (file, how string, err error) {
	if file, how, err = d.find(m.Opens); !errors.Is(err, ldso.ErrNotFound) {
		return file, how, err
	}
	m.Skipped, m.lacks = m.Opens+" not found", true
	st, err := d.root.Stat(m.Opens)
	switch {
	case path.IsAbs(m.Opens) && err == nil && !st.Mode.IsRegular():
		m.Skipped = m.Opens + " is not a regular file"
	case path.IsAbs(m.Opens) && err == nil, !m.Rule.BothSides && d.elsewhere(m.Opens):
		m.Skipped, m.lacks = m.Opens+" is for another architecture", false
	}
	return "", "", nil
}

// elsewhere says that the host has a library of that name for the programs of another architecture.
func (d *discovery) elsewhere(name string) bool {
	if strings.Contains(name, "/") {
		return false
	}
	if d.others == nil {
		for _, a := range arch.All {
			if s, err := ldso.New(d.root, a); err == nil && a != d.arch {
				d.others = append(d.others, s)
			}
		}
	}
	return slices.ContainsFunc(d.others, func(s *ldso.Searcher) bool {
		_, _, err := s.Find(name)
		return err == nil
	})
}

// OnlyCombines says of a manifest without a library that it is one all the same: a Vulkan layer that stands for others.
func (m *Manifest) OnlyCombines() bool { return m.Skipped == namesNone && m.Name != "" }

// outside names a file for an error message.
func (d *discovery) outside(file string) string {
	if c, err := d.root.Resolve(file); err == nil {
		return d.root.HostPath(c)
	}
	return file
}
