// Package confine is what makes a process fit to be beside a hostile container: it runs from a sealed copy of itself in
// memory, without the environment and the descriptors that it was started with, looks at /proc only where that is a proc
// file system, and enters a container's mount namespace with one thread that does nothing but move mounts.
//
// It exists so that these few lines, of which each answers a published fault (CVE-2019-5736,
// CVE-2019-19921, CVE-2024-21626, CVE-2025-23266), stand in one place. It knows nothing of GPUs or plans.
package confine
