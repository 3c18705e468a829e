// Package setup writes what makes an engine call the hook: a file of a hooks.d directory (Podman, CRI-O; oci-hooks(5)),
// or a bundle's config.json (runc, crun). It exists so that each entry we generate has the same, explicit form: an absolute
// path, all options as arguments, and an environment of its own, without which an engine may hand its own or the image's
// to the hook (CVE-2025-23266). It starts nothing, and knows nothing of GPUs but what it is told to write.
package setup
