package probes

import "embed"

// ComputeSources holds programs of OpenCL's and a driver of VA-API's.
//
//go:embed compute video
var ComputeSources embed.FS

// VADriver is the driver's file name: libva puts it together from LIBVA_DRIVER_NAME.
const VADriver = "capsuletest_drv_video.so"

// Compute lists what is compiled of ComputeSources.
var Compute = []Probe{
	{"bin/opencl", "sdk11", "gcc", []string{"compute/opencl.c"}, []string{"-pthread", "-lOpenCL"}},
	{"bin/spirv", "sdk11", "gcc", []string{"compute/spirv.c"}, []string{"-lOpenCL"}},
	{"host/" + VADriver, "sdk13", "gcc", []string{"video/va_driver.c"}, []string{"-shared", "-fPIC", "-fvisibility=hidden",
		"-Wl,-z,defs", "-lX11"}},
}
