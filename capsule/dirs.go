package capsule

import "path"

// The directories below Plan.Dir, those of one architecture first.

func (p *planner) archDir(name string) string { return path.Join(p.dir, p.in.Arch.Triplet, name) }

// libDir holds stubs, libcapsule.so, the capsule root and the manifest.
func (p *planner) libDir() string { return p.archDir("lib") }

// proxyDir holds the proxies. It is on nobody's search path: a proxy in the base namespace would be
// its own source.
func (p *planner) proxyDir() string { return p.archDir("proxy") }

// hostDir holds the host's libraries, each below its path on the host so that $ORIGIN stays right.
func (p *planner) hostDir() string { return p.archDir("host") }

// manifestDir holds generated manifests: at the driver boundary those by which the runtime's
// loaders find the stubs, at the frontend boundary those by which the host's loader finds the
// runtime's layers.
func (p *planner) manifestDir() string { return p.archDir("manifests") }

// toolDir has the scripts that start tools, each below the path by which drivers know the tool.
func (p *planner) toolDir() string { return p.archDir("tools") }

// toolRoot has the tools themselves, their libraries and data, each below its path on the host.
func (p *planner) toolRoot() string { return p.archDir("root") }

// binDir holds the host's programs. It ends the program's PATH: what the runtime has goes first.
func (p *planner) binDir() string { return p.archDir("bin") }

// commonManifestDir holds manifests for loaders that are told a directory: one for all
// architectures.
func (p *planner) commonManifestDir() string { return path.Join(p.dir, "manifests") }

// shareDir holds the host's data files, each below its path on the host.
func (p *planner) shareDir() string { return path.Join(p.dir, "share") }
