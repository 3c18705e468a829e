// Command capsule-run starts a program in a runtime with the host's GPU stack. See `capsule-run --help`.
package main

import (
	"os"

	"github.com/capsule-run/capsule-run/hook/serve"
	"github.com/capsule-run/capsule-run/internal/run"
)

func main() {
	// The second half of a launch, in its own namespaces, does not come here: package launch begins it.
	if args, ok := serve.Args(os.Args); ok {
		os.Exit(serve.Main(args, run.Version)) // called by a container engine, perhaps beside a hostile container
	}
	os.Exit(execute(os.Args[1:]))
}
