// Command gpucheck compares a GPU used natively with the same GPU used from a small Debian 11 runtime through a capsule:
// pictures by EGL, Vulkan, OpenCL and CUDA, numbers by CUDA, the texts of NVML and nvidia-smi, and the times of all.
// test/gpu-check is its front.
//
//	gpucheck prepare [DIR]   make DIR (build/gpu-check): everything that run needs, to be carried to another machine
//	gpucheck run [FLAG…]     compare on this machine; needs nothing but DIR, no network and no compiler
//
// It exists because the tests' machines have no GPU: what cannot be tried there is tried where one can be had, by the same
// programs (cshim/scene, test/probes/gpu) that the tests run on software drivers. It installs nothing and changes nothing of the
// machine; what it writes goes to a temporary directory.
package main
