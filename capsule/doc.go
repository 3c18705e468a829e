// Package capsule is the stage plan: from what discover found on the host and inspect found in the runtime it decides
// what is loaded from where, in which order, with which stubs, proxies, polyfills and path mappings, and why.
//
// Make is pure: it does no I/O, and the same input gives a byte-identical plan. Everything that acts (package build,
// the launcher, the OCI hook) acts on a Plan and decides nothing of its own.
package capsule
