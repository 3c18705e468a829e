package probes

import "embed"

// GPUSources holds the programs that use each API of a GPU without a window system.
//
//go:embed gpu
var GPUSources embed.FS

// GPU lists what is compiled of GPUSources. test/gpu-check carries them to machines with a GPU; they open libraries by name, so
// that they start on those without.
var GPU = []Probe{
	{"bin/cuda", "sdk11", "gcc", []string{"gpu/cuda.c"}, []string{"-ldl", "-lm"}},
	{"bin/nvml", "sdk11", "gcc", []string{"gpu/nvml.c"}, []string{"-ldl"}},
	{"bin/vendor", "sdk11", "gcc", []string{"gpu/vendor.c"}, []string{"-ldl"}},
	{"bin/compilers", "sdk11", "gcc", []string{"gpu/compilers.c"}, []string{"-ldl"}},
	{"bin/media", "sdk11", "gcc", []string{"gpu/media.c"}, []string{"-ldl"}},
	{"bin/entries", "sdk11", "gcc", []string{"gpu/entries.c"}, []string{"-ldl"}},
}
