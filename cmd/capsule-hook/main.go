// Command capsule-hook is the OCI hook alone. Container engines start it for each container that asks for a GPU, and it
// begins by copying itself; so it is a program of its own, which has nothing of capsule-run's other commands in it. It
// does the same as `capsule-run hook STAGE`.
package main

import (
	"fmt"
	"os"

	"github.com/capsule-run/capsule-run/hook/serve"
)

// version is set by the Makefile, to capsule-run's.
var version = "0.1.0-dev"

func main() {
	args, ok := serve.Args(append([]string{serve.Name}, os.Args[1:]...))
	if !ok {
		fmt.Fprintln(os.Stderr, "capsule-run: error: capsule-hook is called by container engines, with a stage\n"+
			"capsule-run: hint: set it up with: capsule-run hook install")
		os.Exit(2)
	}
	os.Exit(serve.Main(args, version))
}
