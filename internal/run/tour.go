// Package run is the tour: the whole of capsule-run in three functions. Prepare goes from the host and the runtime to
// files on disk (inspect, discover, plan, build), start mounts them and starts the program (mount, exec), and Run is both.
// It exists so that every command does the same in the same order; the stages themselves are packages of their own.
package run

import (
	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/internal/launch"
	"github.com/capsule-run/capsule-run/internal/layout"
	"github.com/capsule-run/capsule-run/internal/rootfs"
	"github.com/capsule-run/capsule-run/internal/runtimetree"
	"github.com/capsule-run/capsule-run/internal/stages"
)

// Run starts the program of o.Argv in the runtime, with the host's GPU stack, and returns its exit status: 128+N when
// signal N ended it. An error means that nothing was run.
func Run(o *Options) (int, error) {
	defer o.Release()
	if err := o.attend(); err != nil { // descriptors that must be open, our life bound to the parent's
		return 0, err
	}
	for {
		built, err := Prepare(o)
		if err != nil {
			return 0, err
		}
		status, err := start(o, built)
		built.Close()
		if err == nil || !o.fallBack(err) { // without isolation: once
			return status, err
		}
	}
}

// start goes from artefacts to the program's end.
func start(o *Options, built *build.Built) (int, error) {
	specify := compose // mount: the runtime's directories, the user's own, and below capsule.Dir what the plan names
	if o.Isolation == IsolationNone {
		specify = inPlace // nothing is mounted: the build stands for capsule.Dir
	}
	l, err := launchOf(built)
	if err != nil {
		return 0, err
	}
	o.tell(l)
	spec, err := specify(o, built, l)
	if err != nil {
		return 0, err
	}
	// exec: as if it had been started directly, with isolation in namespaces of its own.
	o.Done()
	return launch.Run(spec)
}

// Prepare returns the artefacts for a host, a runtime and options. While nothing that they depend on has changed they
// come from the cache, at the price of one lstat a file.
func Prepare(o *Options) (*build.Built, error) {
	store, err := o.builds()
	if err != nil {
		return nil, err
	}
	if err := o.unpack(); err != nil { // an archive becomes a directory, once
		return nil, err
	}
	o.tellPlace()
	key, err := o.key()
	if err != nil {
		return nil, err
	}
	if built := store.Lookup(key); built != nil {
		o.verbose("nothing has changed: using %s", built.Dir)
		return built, nil
	}
	story, err := Decide(o)
	if err != nil {
		return nil, err
	}
	defer story.Close()

	// build: stubs, proxies, manifest, ld.so.cache.
	o.progress("generating stubs and proxies")
	record, err := record(story, o.Isolation == IsolationNone)
	if err != nil {
		return nil, err
	}
	write := store.Build
	if o.Isolation == IsolationNone {
		write = store.BuildInPlace
	}
	built, err := write(key, story.Plan, record)
	if err != nil {
		return nil, cacheError(err, store.Dir())
	}
	o.verbose("built %s", built.Dir)
	return built, nil
}

// Decide inspects, discovers and plans; it writes nothing.
func Decide(o *Options) (*stages.Story, error) {
	story, err := Look(o)
	if err != nil {
		return nil, err
	}
	// plan: which library comes from which side, and why.
	if err := story.Decide(o.wishes()); err != nil {
		return nil, planError(err)
	}
	if o.Isolation == IsolationNone {
		story.Plan.Differences = Differences
	}
	return story, nil
}

// Look inspects and discovers.
func Look(o *Options) (*stages.Story, error) {
	if err := o.unpack(); err != nil {
		return nil, err
	}
	rules, err := o.rules()
	if err != nil {
		return nil, err
	}
	// inspect: what the runtime has. It comes first, because it says for which architectures to look at the host.
	o.progress("inspecting the runtime %s", o.Runtime)
	tree, err := runtimetree.Inspect(o.Runtime)
	if err != nil {
		return nil, err
	}
	host, err := rootfs.Open(o.Host)
	if err != nil {
		tree.Root.Close()
		return nil, hostError(err)
	}
	// discover: what the host's GPU stack consists of.
	wishes := o.wishes()
	wishes.Rules = rules
	return stages.Look(tree, host, wishes)
}

// compose puts the new root together from the runtime's directories, the user's own and the plan's mounts.
func compose(o *Options, built *build.Built, l *launchRecord) (*launch.Spec, error) {
	in := layout.Input{Top: l.Top, Host: layout.Gather(o.Environ, o.Cwd), Capsule: capsule.PlaceMounts(l.Mounts, built.Dir),
		LdSoCache: built.Dir + "/" + build.LdSoCache, OwnFonts: layout.HasFonts(l.Top), OwnProc: o.UnsharePID}
	var err error
	if in.Binds, err = o.binds(); err != nil {
		return nil, err
	}
	if err = in.Open(); err != nil {
		return nil, err
	}
	if in.PrivateHome, err = o.privateHome(); err != nil {
		return nil, err
	}
	ops, err := layout.Compose(in)
	if err != nil {
		return nil, err
	}
	spec := &launch.Spec{Ops: ops, Argv: o.Argv, Env: in.Environ(l.environ(o.Environ)), Dir: o.Cwd, MountAPI: o.MountAPI,
		Shells: o.shells(), UnshareNet: o.UnshareNet, UnsharePID: o.UnsharePID, WaitChildren: o.WaitChildren}
	return spec, makeHome(&in, spec)
}
