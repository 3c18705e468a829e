package layout

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// homeFiles are what lets a program into the user's session, below the home: X11's cookies where XAUTHORITY is not set
// (Xsecurity(7)) and PulseAudio's where PULSE_COOKIE is not (pulse-client.conf(5)).
var homeFiles = []string{"/.Xauthority", "/.config/pulse/cookie", "/.pulse-cookie"}

// pathVariables hold the path of one file or socket; some of them may hold a name instead that is looked for in
// XDG_RUNTIME_DIR, which is shared whole.
var pathVariables = []string{
	"XAUTHORITY", "ICEAUTHORITY",
	"WAYLAND_DISPLAY", // an absolute path since libwayland 1.15 (wl_display_connect)
	"GAMESCOPE_WAYLAND_DISPLAY", "GAMESCOPE_STATS", "GAMESCOPE_LIMITER_FILE", "LIBEI_SOCKET",
	"PULSE_COOKIE", "PULSE_CLIENTCONFIG", "PIPEWIRE_REMOTE",
	"MANGOHUD_CONFIGFILE", "SDL_GAMECONTROLLERCONFIG_FILE",
}

// namedFiles lists the files and sockets that variables name, as they are written there: some may not exist or be no
// path at all. The first value of a variable counts.
func namedFiles(env map[string]string) []string {
	var out []string
	for _, name := range pathVariables {
		out = append(out, env[name])
	}
	// Several servers may be tried in turn (pulse-client.conf(5), default-server): "{machine-id}unix:/path", "/path".
	for _, server := range strings.Fields(env["PULSE_SERVER"]) {
		if i := strings.IndexByte(server, '}'); i >= 0 && server[0] == '{' {
			server = server[i+1:]
		}
		out = append(out, strings.TrimPrefix(server, "unix:"))
	}
	out = append(out, busPaths(env["DBUS_SESSION_BUS_ADDRESS"])...)
	out = append(out, busPaths(env["DBUS_SYSTEM_BUS_ADDRESS"])...)
	// ld.so(8): LD_PRELOAD is separated by spaces or colons, LD_AUDIT by colons. A name without a slash is searched in
	// the runtime, and one with a token such as $LIB can mean the runtime's directories only.
	out = append(out, strings.FieldsFunc(env["LD_PRELOAD"], func(r rune) bool { return r == ' ' || r == ':' })...)
	return append(out, strings.Split(env["LD_AUDIT"], ":")...)
}

// busPaths returns the socket paths of a D-Bus address "unix:path=/run/user/1000/bus,guid=…", of which there may be
// several, separated by semicolons; bytes may be written as %XX (D-Bus specification, Server Addresses).
func busPaths(addresses string) []string {
	var out []string
	for _, address := range strings.Split(addresses, ";") {
		rest, ok := strings.CutPrefix(address, "unix:")
		if !ok {
			continue
		}
		for _, pair := range strings.Split(rest, ",") {
			if value, ok := strings.CutPrefix(pair, "path="); ok {
				if path, err := url.PathUnescape(value); err == nil {
					out = append(out, path)
				}
			}
		}
	}
	return out
}

func isFile(p string) bool {
	st, err := os.Stat(p)
	return err == nil && filepath.IsAbs(p) && !st.IsDir()
}
