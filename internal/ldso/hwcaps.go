package ldso

import (
	"golang.org/x/sys/cpu"

	"github.com/capsule-run/capsule-run/internal/arch"
)

// hwcapsOf returns the glibc-hwcaps subdirectories that ld.so uses on this machine, best first (x86-64 psABI 1.0,
// "Micro-architecture levels"; glibc 2.41, sysdeps/x86_64/dl-hwcaps-subdirs.c). Of the features that make a level,
// x/sys/cpu does not tell LAHF, F16C, LZCNT and MOVBE: no processor has the others without these.
func hwcapsOf(a *arch.Arch) []string {
	if a.Name != "x86_64" {
		return nil
	}
	c := &cpu.X86
	var levels []string
	if !(c.HasCX16 && c.HasPOPCNT && c.HasSSE3 && c.HasSSE41 && c.HasSSE42 && c.HasSSSE3) {
		return nil
	}
	levels = append(levels, "x86-64-v2")
	if c.HasAVX && c.HasAVX2 && c.HasBMI1 && c.HasBMI2 && c.HasFMA && c.HasOSXSAVE {
		levels = append([]string{"x86-64-v3"}, levels...)
		if c.HasAVX512F && c.HasAVX512BW && c.HasAVX512CD && c.HasAVX512DQ && c.HasAVX512VL {
			levels = append([]string{"x86-64-v4"}, levels...)
		}
	}
	return levels
}
