package run

import (
	"github.com/capsule-run/capsule-run/internal/launch"
	"github.com/capsule-run/capsule-run/internal/layout"
	"github.com/capsule-run/capsule-run/internal/runtimetree"
)

// Bare starts the program of o.Argv in the host's tree as it is: with nothing of a runtime, and without a capsule. It is how
// the doctor sees what another host than this machine draws by itself.
func Bare(o *Options) (int, error) {
	tree, err := runtimetree.Inspect(o.Host)
	if err != nil {
		return 0, err
	}
	defer tree.Root.Close()
	in := layout.Input{Top: tops(tree), Host: layout.Gather(o.Environ, o.Cwd), OwnFonts: true}
	if in.Binds, err = o.binds(); err != nil {
		return 0, err
	}
	if err = in.Open(); err != nil {
		return 0, err
	}
	ops, err := layout.Compose(in)
	if err != nil {
		return 0, err
	}
	o.Done()
	return launch.Run(&launch.Spec{Ops: ops, Argv: o.Argv, Env: in.Environ(o.Environ), Dir: o.Cwd, MountAPI: o.MountAPI})
}
