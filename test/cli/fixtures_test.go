package cli

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
)

const multiarch = "usr/lib/x86_64-linux-gnu/"

// library makes a shared object whose SONAME is its file's name, with one function of that name.
func library(name string, needed ...string) elftest.Lib {
	return elftest.Lib{Soname: name, Needed: needed, Exports: []string{"f_" + strings.NewReplacer(".", "_", "-", "_").Replace(name)}}
}

// cmdELF writes `elf FILE [machine=aarch64] [soname=NAME] [needs=A,B] [versions=A,B]`.
func cmdELF(ts *testscript.TestScript, neg bool, args []string) {
	l := library(filepath.Base(args[0]), "libc.so.6")
	for _, a := range args[1:] {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "machine":
			l.Machine = map[string]elf.Machine{"aarch64": elf.EM_AARCH64, "i386": elf.EM_386, "riscv": elf.EM_RISCV}[value]
			if l.Machine == 0 {
				ts.Fatalf("unknown machine %s", value)
			}
		case "soname":
			l.Soname = value
		case "needs":
			l.Needed = strings.Split(value, ",")
		case "versions":
			l.Versions = strings.Split(value, ",")
		default:
			ts.Fatalf("unknown attribute %s", a)
		}
	}
	write(ts, ts.MkAbs(args[0]), l)
}

func write(ts *testscript.TestScript, file string, l elftest.Lib) {
	ts.Check(os.MkdirAll(filepath.Dir(file), 0o755))
	ts.Check(os.WriteFile(file, l.Bytes(), 0o755))
}

// cmdRuntime makes `runtime DIR`, a small merged-/usr runtime like Debian 11's with one program: the launcher itself,
// which is static and so runs without the rest of the tree being real.
func cmdRuntime(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	ld := elftest.Lib{Soname: "ld-linux-x86-64.so.2", Versions: []string{"GLIBC_2.2.5"}, Exports: []string{"__tls_get_addr@@GLIBC_2.2.5"}}
	write(ts, filepath.Join(dir, multiarch, ld.Soname), ld)
	write(ts, filepath.Join(dir, multiarch, "libc.so.6"), elftest.Lib{Soname: "libc.so.6", Needed: []string{ld.Soname},
		Versions: []string{"GLIBC_2.2.5", "GLIBC_2.30"}, Exports: []string{"malloc@@GLIBC_2.2.5", "gettid@@GLIBC_2.30"}})
	for _, d := range []string{"usr/lib64", "usr/bin", "etc"} {
		ts.Check(os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	ts.Check(os.Symlink("../lib/x86_64-linux-gnu/"+ld.Soname, filepath.Join(dir, "usr/lib64", ld.Soname)))
	for _, d := range []string{"lib", "lib64", "bin"} {
		ts.Check(os.Symlink("usr/"+d, filepath.Join(dir, d)))
	}
	program, err := os.ReadFile(filepath.Join(binDir, "capsule-run"))
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(dir, "usr/bin/program"), program, 0o755))
	settle()
}

// settle lets what was written be old enough for its times to vouch for it (rootfs): a launch at once would not count.
func settle() { time.Sleep(30 * time.Millisecond) }

// cmdHost makes `host DIR`: a small Debian with libglvnd, Mesa and a Vulkan driver.
func cmdHost(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	for _, l := range []elftest.Lib{
		{Soname: "ld-linux-x86-64.so.2", Versions: []string{"GLIBC_2.2.5"}, Exports: []string{"__tls_get_addr@@GLIBC_2.2.5"}},
		{Soname: "libc.so.6", Versions: []string{"GLIBC_2.2.5", "GLIBC_2.38"}, Exports: []string{"malloc@@GLIBC_2.2.5", "strlcpy@@GLIBC_2.38"}},
		library("libGL.so.1", "libGLX.so.0", "libc.so.6"),
		library("libGLX.so.0", "libc.so.6"),
		library("libGLX_mesa.so.0", "libgallium.so", "libc.so.6"),
		library("libgallium.so", "libc.so.6"),
		library("libEGL.so.1", "libc.so.6"),
		library("libEGL_mesa.so.0", "libgallium.so", "libc.so.6"),
		library("libvulkan.so.1", "libc.so.6"),
		library("libvulkan_lvp.so", "libc.so.6"),
		library("libz.so.1", "libc.so.6"),
	} {
		write(ts, filepath.Join(dir, multiarch, l.Soname), l)
	}
	for _, d := range []string{"usr/lib64", "etc"} {
		ts.Check(os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	ts.Check(os.Symlink("../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", filepath.Join(dir, "usr/lib64/ld-linux-x86-64.so.2")))
	for _, d := range []string{"lib", "lib64"} {
		ts.Check(os.Symlink("usr/"+d, filepath.Join(dir, d)))
	}
	for file, library := range map[string]string{"vulkan/icd.d/lvp.json": "libvulkan_lvp.so", "glvnd/egl_vendor.d/50_mesa.json": "libEGL_mesa.so.0"} {
		file = filepath.Join(dir, "usr/share", file)
		ts.Check(os.MkdirAll(filepath.Dir(file), 0o755))
		text := `{"file_format_version": "1.0.0", "ICD": {"library_path": "` + library + `", "api_version": "1.4.0"}}`
		ts.Check(os.WriteFile(file, []byte(text), 0o644))
	}
	settle()
}

// cmdMachine makes `machine DIR` a whole machine: a sysfs with an Intel GPU, one of whose nodes is a file and the other
// is missing.
func cmdMachine(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	const gpu = "sys/devices/pci0000:00/0000:00:02.0"
	for file, text := range map[string]string{
		gpu + "/vendor": "0x8086", gpu + "/device": "0x3ea0", gpu + "/class": "0x030000", gpu + "/uevent": "DRIVER=i915",
		gpu + "/drm/card0/dev": "226:0", gpu + "/drm/renderD128/dev": "226:128", "dev/dri/renderD128": "",
		"usr/share/misc/pci.ids": "8086  Intel Corporation\n\t3ea0  UHD Graphics 620\n",
	} {
		ts.Check(os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755))
		ts.Check(os.WriteFile(filepath.Join(dir, file), []byte(text+"\n"), 0o644))
	}
	ts.Check(os.MkdirAll(filepath.Join(dir, "sys/class/drm"), 0o755))
	for _, name := range []string{"card0", "renderD128"} {
		ts.Check(os.Symlink("../..", filepath.Join(dir, gpu, "drm", name, "device")))
		ts.Check(os.Symlink("../../devices/pci0000:00/0000:00:02.0/drm/"+name, filepath.Join(dir, "sys/class/drm", name)))
	}
}
