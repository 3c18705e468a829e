package hostlibs

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/ldso"
)

// maxManifest is far above any manifest seen (some hundred bytes).
const maxManifest = 1 << 20

// manifests reads the JSON files that name drivers.
func (d *discovery) manifests() error {
	for _, f := range d.rules.Families {
		for _, rule := range f.Manifests {
			for _, file := range d.manifestFiles(rule) {
				m, err := d.manifest(f.Name, rule, file)
				if err != nil {
					return err
				}
				if m != nil {
					d.found = append(d.found, m)
					d.any = d.any || m.Library != nil
				}
			}
		}
	}
	return nil
}

// manifestFiles lists the files to read, in the order of the original loader, each once.
func (d *discovery) manifestFiles(rule configs.Manifests) []string {
	var files []string
	add := func(p string) {
		if path.IsAbs(p) && !slices.Contains(files, path.Clean(p)) {
			files = append(files, path.Clean(p))
		}
	}
	addList := func(value string) {
		for _, p := range list(value) { // each a file, or a directory of such
			names := d.matching(p, "*.json")
			for _, n := range names {
				add(path.Join(p, n))
			}
			if len(names) == 0 {
				add(p)
			}
		}
	}
	for _, name := range rule.FilesEnvironment {
		if v := d.getenv(name); v != "" {
			addList(v)
			return files
		}
	}
	addList(d.getenv(rule.AddEnvironment))
	dirs := list(d.getenv(rule.DirectoriesEnvironment))
	if len(dirs) == 0 {
		dirs = d.manifestDirs(rule)
	}
	for _, dir := range dirs {
		for _, n := range d.matching(dir, "*.json") {
			add(path.Join(dir, n))
		}
	}
	return files
}

// manifestDirs expands the variables of the XDG Base Directory Specification 0.8, with its defaults.
func (d *discovery) manifestDirs(rule configs.Manifests) []string {
	home := func(variable, below string) string {
		if v := d.getenv(variable); v != "" {
			return v
		}
		if h := d.getenv("HOME"); h != "" {
			return path.Join(h, below)
		}
		return ""
	}
	or := func(value, other string) string {
		if value == "" {
			return other
		}
		return value
	}
	var dirs []string
	for _, b := range rule.Below {
		switch b {
		case "$XDG_CONFIG_HOME":
			b = home("XDG_CONFIG_HOME", ".config")
		case "$XDG_DATA_HOME":
			b = home("XDG_DATA_HOME", ".local/share")
		case "$XDG_CONFIG_DIRS":
			b = or(d.getenv("XDG_CONFIG_DIRS"), "/etc/xdg")
		case "$XDG_DATA_DIRS":
			b = or(d.getenv("XDG_DATA_DIRS"), "/usr/local/share:/usr/share")
		}
		for _, p := range list(b) {
			if dir := path.Join(p, rule.Directory); !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// manifest reads one file; nil if there is none (a link to nothing, or an override that names nothing).
func (d *discovery) manifest(api string, rule configs.Manifests, file string) (*Manifest, error) {
	data, err := d.root.ReadFile(file, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("host manifest: %w", err), "the file must be readable, or be removed")
	}
	m, err := d.understand(api, rule, file, data)
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("host manifest %s: %w", d.outside(file), err),
			"correct or remove the file, or install the package that it belongs to again")
	}
	if m.Skipped != "" {
		return m, nil
	}
	lib, how, err := d.library(m)
	if err != nil || m.Skipped != "" {
		return m, err
	}
	m.Library, err = d.addRootFile(lib, how, Role(rule.Role), api, "library_path of "+file)
	return m, err
}

const namesNone = "names no library"

// understand reads a manifest's text.
func (d *discovery) understand(api string, rule configs.Manifests, file string, data []byte) (m *Manifest, err error) {
	m = &Manifest{Kind: rule.Kind, Path: file, API: api, Text: data, Rule: &rule}
	var arch string
	if m.LibraryPath, arch, err = parseManifest(data, rule.Key); err != nil {
		return nil, err
	}
	if rule.BothSides {
		if m.Name, _, err = parseManifest(data, rule.NameKey); err != nil {
			return nil, err
		}
	}
	bits := "32"
	if d.arch.Class == elf.ELFCLASS64 {
		bits = "64"
	}
	m.Opens = m.LibraryPath
	switch {
	case m.LibraryPath == "":
		m.Skipped = namesNone
	case arch != "" && arch != bits:
		m.Skipped = "for another architecture (library_arch " + arch + ")"
	case strings.Contains(m.Opens, "/") && !path.IsAbs(m.Opens) && !rule.Relative:
		m.Skipped = "library_path is relative to the working directory"
	case strings.Contains(m.Opens, "/") && !path.IsAbs(m.Opens):
		m.Opens = path.Dir(file) + "/" + m.Opens
	}
	return m, nil
}

// library finds what a manifest names, or says in m.Skipped why not.
func (d *discovery) library(m *Manifest) (file, how string, err error) {
	if file, how, err = d.find(m.Opens); !errors.Is(err, ldso.ErrNotFound) {
		return file, how, err
	}
	m.Skipped = m.Opens + " not found"
	if path.IsAbs(m.Opens) {
		if _, err := d.root.Stat(m.Opens); err == nil {
			m.Skipped = m.Opens + " is for another architecture"
		}
	}
	return "", "", nil
}

// OnlyCombines says of a manifest without a library that it is one all the same: a Vulkan layer that stands for others.
func (m *Manifest) OnlyCombines() bool { return m.Skipped == namesNone && m.Name != "" }

// parseManifest returns the string at a path of keys, and "library_arch" beside it (Vulkan-Loader,
// LoaderDriverInterface.md: "32" or "64"). A file without them says nothing.
func parseManifest(data []byte, key []string) (library, arch string, err error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return "", "", fmt.Errorf("%w: %v", ErrManifest, err)
	}
	for _, k := range key[:len(key)-1] {
		raw, ok := top[k]
		if !ok {
			return "", "", nil
		}
		top = nil
		if err := json.Unmarshal(raw, &top); err != nil {
			return "", "", fmt.Errorf("%w: %s: %v", ErrManifest, k, err)
		}
	}
	for k, v := range map[string]*string{key[len(key)-1]: &library, "library_arch": &arch} {
		raw, ok := top[k]
		if !ok {
			continue
		}
		if err := json.Unmarshal(raw, v); err != nil || strings.IndexByte(*v, 0) >= 0 {
			return "", "", fmt.Errorf("%w: %s is no proper string", ErrManifest, k)
		}
	}
	return library, arch, nil
}

// outside names a file for an error message.
func (d *discovery) outside(file string) string {
	if c, err := d.root.Resolve(file); err == nil {
		return d.root.HostPath(c)
	}
	return file
}
