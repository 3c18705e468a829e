// Package report is what `capsule-run doctor` finds, as data: what the terminal table, the JSON and the page are made of. It
// exists so that the three say the same. It never looks at the machine, and renders nothing.
package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/internal/inspection"
)

// Schema is raised when a field changes its meaning or goes away.
const Schema = 1

// Report is a machine's graphics natively and through the capsule. Its JSON is what `doctor --json` prints.
type Report struct {
	Schema  int     `json:"schema"`
	Version string  `json:"version"` // capsule-run's
	Created string  `json:"created"` // RFC 3339, UTC, whole seconds
	Machine Machine `json:"machine"`
	Runtime Runtime `json:"runtime"`
	// OK says that the runtime could be started, and that what works natively works the same through the capsule: doctor's exit
	// status is then 0.
	OK        bool    `json:"ok"`
	Isolation string  `json:"isolation"` // userns or none, as it was really used; empty where nothing could be started
	Scenes    []Scene `json:"scenes"`
	// Findings are what is wrong or worth knowing, the worst first.
	Findings []Finding `json:"findings"`
	// Stack is `inspect --json` with the runtime.
	Stack *inspection.Report `json:"stack,omitempty"`
	// Plan is `plan --json`; nil where no plan could be made, which a finding then says.
	Plan *capsule.Plan `json:"plan,omitempty"`
}

// Machine is the host as far as it matters for graphics.
type Machine struct {
	System    string   `json:"system"`    // PRETTY_NAME of os-release(5)
	Kernel    string   `json:"kernel"`    // release of uname(2)
	Arch      string   `json:"arch"`      // of the processor, as uname(2) names it
	Processor string   `json:"processor"` // model name of /proc/cpuinfo
	Glibc     string   `json:"glibc"`     // release of the host's, "2.36"
	Container string   `json:"container,omitempty"`
	Sessions  []string `json:"sessions"` // of "x11", "wayland": what a program could show itself on
}

// Runtime is the runtime of the comparison.
type Runtime struct {
	Dir    string `json:"dir"`
	System string `json:"system"`
	Layout string `json:"layout"`
	Glibc  string `json:"glibc"`
	// Host says that no runtime was named, and the host's own tree stands in for one.
	Host bool `json:"host"`
}

// Verdict of a scene.
type Verdict string

const (
	// Same: both sides drew, the same picture on the same device.
	Same Verdict = "same"
	// Differs: both sides drew, but another picture, or on another device.
	Differs Verdict = "differs"
	// CapsuleFails: natively it works.
	CapsuleFails Verdict = "capsule-fails"
	// NativeFails: it works through the capsule alone.
	NativeFails Verdict = "native-fails"
	// BothFail: the host has the API's library, and nothing can be drawn with it on either side.
	BothFail Verdict = "both-fail"
	// Absent: the host does not have the API.
	Absent Verdict = "absent"
)

// Scene is one API, on one platform, on both sides.
type Scene struct {
	Arch     string `json:"arch"`
	API      string `json:"api"`      // as rules and plans name it: GL, EGL, Vulkan, OpenCL, VA-API, VDPAU, CUDA
	Name     string `json:"name"`     // of the scene, unique in an architecture: "gl-surfaceless", "glx", "vulkan"
	Platform string `json:"platform"` // where it is drawn: x11, wayland, surfaceless, device, memory
	Boundary string `json:"boundary,omitempty"`
	// BoundaryReason says why the capsule begins there.
	BoundaryReason string   `json:"boundary_reason,omitempty"`
	Verdict        Verdict  `json:"verdict"`
	Native         *Drawing `json:"native,omitempty"`
	Capsule        *Drawing `json:"capsule,omitempty"`
	// Pixels of the capsule's picture that differ from the native one, and the greatest difference of a channel (0 to 255).
	Pixels  int `json:"pixels,omitempty"`
	Channel int `json:"channel,omitempty"`
}

// sessions are the platforms that only a session has, in words.
var sessions = map[string]string{"x11": "X11", "wayland": "Wayland"}

// NoSession names the session, "X11" or "Wayland", that a scene was not drawn for want of; it is empty for all others.
func (r *Report) NoSession(s *Scene) string {
	if s.Verdict != BothFail || slices.Contains(r.Machine.Sessions, s.Platform) {
		return ""
	}
	return sessions[s.Platform]
}

// Drawing is what one side did.
type Drawing struct {
	// Error is empty where the scene was drawn; Step is then empty too, else what was being done.
	Error string `json:"error,omitempty"`
	Step  string `json:"step,omitempty"`
	// Output is the end of what was printed to standard error, line by line, where the scene was not drawn.
	Output []string `json:"output,omitempty"`
	// Missing says that the API's library is not there at all.
	Missing bool `json:"missing,omitempty"`

	Vendor   string   `json:"vendor,omitempty"`
	Device   string   `json:"device,omitempty"` // GL_RENDERER, deviceName, CL_DEVICE_NAME
	Version  string   `json:"version,omitempty"`
	Driver   string   `json:"driver,omitempty"`   // name and version as the API tells them, if it does
	Devices  []string `json:"devices,omitempty"`  // all that the API offers, where it offers several
	Software bool     `json:"software,omitempty"` // drawn by the processor
	// Extensions and the like: a digest of the sorted names, so that two sides can be compared, and how many they are.
	Extensions       int    `json:"extensions,omitempty"`
	ExtensionsDigest string `json:"extensions_digest,omitempty"`
	// Facts are what an API without a picture tells: decoders, entry points.
	Facts []string `json:"facts,omitempty"`
	// Libraries of the process when it had drawn, as /proc/self/maps has their paths.
	Libraries []string `json:"libraries,omitempty"`
	// Start is from the program's first instruction to the end of the first frame, Frame the median of the later ones, in
	// milliseconds.
	Start float64 `json:"start_ms,omitempty"`
	Frame float64 `json:"frame_ms,omitempty"`
	// PNG is the picture; empty where the API draws none. Base64 in JSON.
	PNG []byte `json:"png,omitempty"`
}

// Drawn says that the side did what the scene asks for.
func (d *Drawing) Drawn() bool { return d != nil && d.Error == "" && !d.Missing }

// Failure words what a side could not do, and why.
func (d *Drawing) Failure() string {
	switch {
	case d == nil:
		return "it was not tried"
	case d.Missing:
		return cmp.Or(d.Error, "the library of this API is not there")
	case d.Error == "" || d.Step == "" || d.Step == "start" || d.Step == "exit": // of the process, which the error tells
		return d.Error
	}
	return d.Step + ": " + strings.TrimPrefix(d.Error, d.Step+": ")
}

// Severity of a finding.
type Severity string

// From the worst to the least.
const (
	Problem Severity = "problem" // something that works natively, or should, does not
	Warning Severity = "warning" // it works, but not as one would wish: drawn by the processor, a device node of another group
	Note    Severity = "note"
)

// Finding is one line of what is wrong, and one of what to do.
type Finding struct {
	Severity Severity `json:"severity"`
	API      string   `json:"api,omitempty"`
	What     string   `json:"what"`
	Hint     string   `json:"hint,omitempty"`
}
