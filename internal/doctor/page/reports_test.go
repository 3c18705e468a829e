package page_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/hostgpu"
	"github.com/capsule-run/capsule-run/internal/doctor/report"
	"github.com/capsule-run/capsule-run/internal/inspection"
	"github.com/capsule-run/capsule-run/internal/mount"
)

// reports are what machines have, and what none has.
func reports() map[string]*report.Report {
	none := mesa("x86_64")
	none.Plan, none.Scenes, none.Isolation = nil, nil, ""
	bare := mesa("x86_64")
	bare.Stack = nil
	both := mesa("x86_64", "i386")
	driver := mesa("x86_64")
	for i := range driver.Plan.Architectures[0].Libraries {
		l := &driver.Plan.Architectures[0].Libraries[i]
		if l.Side == capsule.SideStub { // the vendor's library has the stub, the front end is the runtime's
			l.Soname = "libGLX_mesa.so.0"
		}
	}
	hostile := mesa("x86_64")
	for _, s := range hostileStrings {
		hostile.Findings = append(hostile.Findings, report.Finding{Severity: report.Severity(s), API: s, What: s, Hint: s})
	}
	fill(hostile, strings.Join(hostileStrings, " "))
	wrong := mesa("x86_64")
	wrong.Scenes[0].Native.PNG = []byte("\x89PNG\r\n\x1a\n<script>alert(1)</script>")
	wrong.Scenes[0].Capsule.PNG = picture(2000, 2000, 0)
	wrong.Plan.Architectures = append(wrong.Plan.Architectures, nil, &capsule.ArchPlan{})
	wrong.Stack.Architectures = append(wrong.Stack.Architectures, nil)
	wrong.Plan.Devices = &hostgpu.Devices{GPUs: []*hostgpu.GPU{nil, {Nodes: []*hostgpu.Node{nil}}}, Shared: []*hostgpu.Node{nil}}
	circle := mesa("x86_64") // each of two libraries needs the other, which ELF allows
	for i, l := range circle.Plan.Architectures[0].Libraries {
		if l.Soname == "libz.so.1" {
			circle.Plan.Architectures[0].Libraries[i].Needs = append(l.Needs, "libLLVM-15.so.1", "libz.so.1", "not in the plan")
		}
	}
	return map[string]*report.Report{"empty": {}, "mesa": mesa("x86_64"), "both": both, "no plan": none, "no stack": bare, "driver": driver,
		"hostile": hostile, "wrong": wrong, "circle": circle, "failing": failing(), "huge": huge(1300)}
}

var hostileStrings = []string{"<script>alert(1)</script>", `"onload="alert(1)`, `' onfocus='alert(1)' autofocus='`, "]]>", "</textarea></pre></svg>-->",
	"<!--", "<![CDATA[", "&lt;b&gt;", "javascript:alert(1)", "{{.}}", "${x}`", "\u202egnp.exe\u202c", "\u2066\u200b\ufeff", "\x00\x1b[31m\x7f\u009b",
	"\xff\xfe", "\u2028\u2029", strings.Repeat("W", 700), "</script><script>alert(1)", "</style>", "a0n1", "#main"}

func picture(w, h int, shade uint8) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(y), 90, 255})
		}
	}
	for i := range min(9, w, h) {
		m.SetNRGBA(i, i, color.NRGBA{uint8(i), uint8(i), 90 + shade, 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// mesa is a machine without a GPU, in small.
func mesa(archs ...string) *report.Report {
	r := &report.Report{Schema: report.Schema, Version: "1.2.3", Created: "2026-01-02T03:04:05Z", Isolation: "userns",
		Machine: report.Machine{System: "Debian GNU/Linux 12", Kernel: "6.1.0", Arch: "x86_64", Processor: "Model 7", Glibc: "2.36", Sessions: []string{"x11"}},
		Runtime: report.Runtime{Dir: "~/debian11", System: "Debian GNU/Linux 11", Layout: "sysroot", Glibc: "2.31"},
		Findings: []report.Finding{{Severity: report.Warning, API: "GL", What: "the processor draws", Hint: "is there a GPU?"},
			{Severity: report.Note, What: "two polyfills are in use"}},
		Plan: &capsule.Plan{Version: "1.2.3", Boundary: "auto", Environment: map[string]string{"VK_ICD_FILENAMES": "/run/capsule/icd.json", "LIBGL_DRIVERS_PATH": ""},
			Path: []string{"/run/capsule/bin"}, Differences: []string{"paths are the host's"},
			Devices: &hostgpu.Devices{Root: "/", GPUs: []*hostgpu.GPU{{Name: "Test GPU", Address: "0000:01:00.0", Driver: "amdgpu",
				Nodes: []*hostgpu.Node{{Path: "/dev/dri/renderD128", State: hostgpu.NoAccess, Group: "render", Problem: "may not be opened", Hint: "join render"}}}},
				Shared: []*hostgpu.Node{{Path: "/dev/kfd", State: hostgpu.Usable}}},
			Mounts: []mount.Op{{Kind: mount.Bind, Source: "/usr/lib/libGL.so.1", Target: "/run/capsule/libGL.so.1", ReadOnly: true, Why: "a rule"}}},
		Stack: &inspection.Report{Problems: []string{"a problem of the stack"}},
	}
	for _, a := range archs {
		r.Plan.Architectures = append(r.Plan.Architectures, archPlan(a))
		stack := &inspection.Arch{Arch: a, Software: []inspection.Serving{{API: "GL", Drivers: []string{"libgallium_dri.so"}, Version: "22.3.6"}}}
		for _, l := range r.Plan.Architectures[0].Libraries {
			k := &inspection.Library{Soname: l.Soname, Role: "dependency"}
			switch l.Soname {
			case "libGL.so.1", "libGLX.so.0":
				k.Role, k.API = "front-end", "GL"
			case "libvulkan.so.1":
				k.Role, k.API = "front-end", "Vulkan"
			case "libGLX_mesa.so.0", "libgallium_dri.so", "libGLX_nvidia.so.0":
				k.Role, k.API = "driver", "GL"
			case "libvulkan_lvp.so":
				k.Role, k.API = "vulkan-icd", "Vulkan"
			}
			stack.Libraries = append(stack.Libraries, k)
		}
		r.Stack.Architectures = append(r.Stack.Architectures, stack)
		drawn := report.Drawing{Device: "llvmpipe", Version: "4.5", Software: true, Start: 40.25, Frame: 1.5, Extensions: 12, PNG: picture(256, 256, 0),
			Libraries: []string{"/run/capsule/libGL.so.1"}}
		capsuled := drawn
		r.Scenes = append(r.Scenes, report.Scene{Arch: a, API: "GL", Name: "glx", Platform: "x11", Boundary: "frontend", BoundaryReason: "the runtime has none",
			Verdict: report.Same, Native: &drawn, Capsule: &capsuled}, report.Scene{Arch: a, API: "CUDA", Name: "cuda", Verdict: report.Absent})
	}
	return r
}

func archPlan(arch string) *capsule.ArchPlan {
	p := &capsule.ArchPlan{Arch: arch, HostLibc: "2.36", RuntimeLibc: "2.31", Loader: "/lib64/ld.so",
		Boundaries: []capsule.BoundaryDecision{{API: "GL", Boundary: "frontend", Reason: "none"}, {API: "Vulkan", Boundary: "frontend", Reason: "none"}},
		Layers:     []capsule.Layer{{Name: "VK_LAYER_x", Side: capsule.SideHost, Reason: "found"}}, Warnings: []string{"libGLX.so.0 exports data"},
		PathMap: []capsule.PathMap{{From: "/usr/share", To: "/run/capsule/share", Why: "data"}}}
	add := func(side capsule.Side, name, found string, needs ...string) {
		p.Libraries = append(p.Libraries, capsule.Library{Soname: name, Side: side, Path: "/usr/lib/" + name, Inside: "/run/capsule/" + name,
			Reason: "reason of " + name, Found: found, Needs: needs})
	}
	for _, name := range []string{"ld-linux-x86-64.so.2", "libc.so.6", "libX11.so.6"} {
		add(capsule.SideRuntime, name, "")
	}
	libc := []string{"ld-linux-x86-64.so.2", "libc.so.6"}
	with := func(names ...string) []string { return append(names, libc...) }
	add(capsule.SideHost, "libz.so.1", "DT_NEEDED", libc...)
	add(capsule.SideHost, "libLLVM-15.so.1", "DT_NEEDED", with("libz.so.1")...)
	add(capsule.SideHost, "libGLX.so.0", "rule", with("libX11.so.6")...)
	add(capsule.SideHost, "libGL.so.1", "rule", with("libX11.so.6", "libGLX.so.0")...)
	add(capsule.SideHost, "libvulkan.so.1", "rule", libc...)
	add(capsule.SideHost, "libgallium_dri.so", "rule", with("libz.so.1", "libLLVM-15.so.1")...)
	add(capsule.SideHost, "libGLX_mesa.so.0", "rule", with("libX11.so.6", "libgallium_dri.so", "libz.so.1", "libLLVM-15.so.1")...)
	add(capsule.SideHost, "libGLX_nvidia.so.0", "rule", libc...)
	add(capsule.SideHost, "libvulkan_lvp.so", "manifest", with("libz.so.1", "libLLVM-15.so.1")...)
	add(capsule.SideHost, "libnvidia-glcore.so.535.247.01-and-a-name-that-is-long", "version", libc...)
	p.Libraries[10].Opens = []string{"libnvidia-glcore.so.535.247.01-and-a-name-that-is-long", "libX11.so.6"}
	for _, name := range []string{"libGL.so.1", "libGLX.so.0", "libvulkan.so.1"} {
		add(capsule.SideStub, name, "")
	}
	p.Symbols.Polyfills = []capsule.Bridged{{Library: "libc.so.6", Symbol: "arc4random", Version: "GLIBC_2.36", Answer: "polyfill", NeededBy: []string{"libgallium_dri.so"}}}
	p.Symbols.Missing = []capsule.Bridged{{Library: "libc.so.6", Symbol: "nobody_has_it", Version: "GLIBC_2.99", Answer: "missing", NeededBy: []string{"libz.so.1"}}}
	return p
}

// failing has every verdict.
func failing() *report.Report {
	r := mesa("x86_64")
	same := r.Scenes[0]
	for _, v := range []report.Verdict{report.NativeFails, report.BothFail, report.Differs, report.CapsuleFails, "unheard of"} {
		s := same
		s.Name, s.Verdict = "scene-"+string(v), v
		failed := &report.Drawing{Error: "no such device", Step: "create a context"}
		switch v {
		case report.NativeFails:
			s.Native = failed
		case report.BothFail:
			s.Native, s.Capsule = failed, &report.Drawing{Missing: true}
		case report.CapsuleFails:
			s.Capsule = failed
		case report.Differs:
			other := *same.Capsule
			other.PNG, s.Pixels, s.Channel = picture(256, 256, 40), 9, 40
			s.Capsule = &other
		}
		r.Scenes = append(r.Scenes, s)
	}
	r.Findings = append([]report.Finding{{Severity: report.Problem, What: "it fails", Hint: "look"}}, r.Findings...)
	return r
}

// huge has far more than a page can show.
func huge(n int) *report.Report {
	r := mesa("x86_64")
	p := r.Plan.Architectures[0]
	var names []string
	for i := range n {
		name := fmt.Sprintf("libhuge%05d.so.1", i)
		p.Libraries = append(p.Libraries, capsule.Library{Soname: name, Side: capsule.SideHost, Path: "/usr/lib/" + name, Found: "rule", Needs: names})
		names = append(names, name)
	}
	for i := range n {
		r.Findings = append(r.Findings, report.Finding{Severity: report.Note, What: strings.Repeat("long ", 1000*(i&1))})
		if i < 200 {
			r.Scenes = append(r.Scenes, r.Scenes[0])
		}
	}
	return r
}
