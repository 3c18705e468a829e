package layout

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/internal/mount"
)

// hostLooks are what the host's desktop looks like, where Flatpak's runtimes and Steam's look for it (flatpak-run(1)):
// a runtime's own configuration decides whether programs use it, for a pinned look is part of a pinned runtime.
var hostLooks = []share{
	{dir: "/run/host/fonts", source: "/usr/share/fonts", why: "the host's fonts"},
	{dir: "/run/host/local-fonts", source: "/usr/local/share/fonts", why: "the host's fonts"},
	{dir: "/run/host/share/icons", source: "/usr/share/icons", why: "the host's icons and cursors"},
}

// fontsConf is for a runtime without any fonts, in which no text would be seen. The runtime's own rules come first.
const (
	fontsConf     = "/run/host/fonts.conf"
	fontsConfText = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
	<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
	<dir>/run/host/fonts</dir>
	<dir>/run/host/local-fonts</dir>
	<cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`
)

func (c *composer) looks() {
	for _, s := range hostLooks {
		if c.in.Host.has(s.source) {
			c.add(mount.Op{Kind: mount.Bind, Source: s.source, Target: s.dir, ReadOnly: true, Recursive: true, Optional: true, Why: s.why})
		}
	}
	if c.lendsFonts() {
		c.add(mount.Op{Kind: mount.File, Target: fontsConf, Text: fontsConfText, Why: "the runtime has no fonts"})
	}
}

func (c *composer) lendsFonts() bool { return !c.in.OwnFonts && c.in.Host.has("/usr/share/fonts") }

// Environ returns the program's environment with what the layout adds: FONTCONFIG_FILE where the runtime has no fonts,
// and nobody has set it.
func (in *Input) Environ(environ []string) []string {
	c := &composer{in: *in}
	if !c.lendsFonts() || slices.ContainsFunc(environ, func(e string) bool { return strings.HasPrefix(e, "FONTCONFIG_FILE=") }) {
		return environ
	}
	return append(slices.Clone(environ), "FONTCONFIG_FILE="+fontsConf)
}

// HasFonts says whether a runtime has a file in its fonts' directory.
func HasFonts(tops []Top) bool {
	usr := slices.IndexFunc(tops, func(t Top) bool { return t.Name == "usr" && t.Source != "" })
	if usr < 0 {
		return false
	}
	found := errors.New("found")
	return filepath.WalkDir(filepath.Join(tops[usr].Source, "share/fonts"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), ".") {
			return found
		}
		return nil
	}) == found
}
