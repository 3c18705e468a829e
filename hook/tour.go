// Package hook brings the host's GPU stack into a container that an engine (Podman, runc, crun, and by CDI others) is
// starting: the same capsule as the launcher's, put into the container's mounts instead of into a new root. Run is the
// tour.
//
// It exists because a container's root is set up by others, by people who need not be friends: the hook runs as root
// beside file trees that a hostile image wrote. So it executes nothing, creates nothing outside of the container, and what
// it cannot do it does not do by halves: an error leaves nothing mounted or made.
package hook

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/hook/ask"
	"github.com/capsule-run/capsule-run/hook/confine"
	"github.com/capsule-run/capsule-run/hook/oci"
	"github.com/capsule-run/capsule-run/internal/config"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/stages"
)

// Stages at which an engine may call the hook.
const (
	// CreateRuntime is called in the engine's namespaces, with the container's mounts made and its root not yet changed.
	CreateRuntime = "createRuntime"
	// CreateContainer is called in the container's namespaces at the same moment.
	CreateContainer = "createContainer"
	// Prestart is the old name of CreateRuntime.
	Prestart = "prestart"
)

// Stages lists them.
var Stages = []string{CreateRuntime, CreateContainer, Prestart}

// Options come from the hook's entry, which the administrator wrote.
type Options struct {
	Stage  string
	State  io.Reader // the OCI state
	GPU    string    // --gpu: all, none, names; empty: the container may ask
	Mode   string    // --mode; empty: the configuration's
	Config string    // --config; empty: config.SystemFile
	Cache  string    // --cache: directory for what was generated; empty: the default
	// Host is the root of the tree with the GPU stack; empty: the configuration's. NoDevices leaves the device nodes alone.
	Host      string
	NoDevices bool
	Version   string
	Identity  string // of the hook's binary, for the cache's keys
	Verbose   func(format string, args ...any)

	system *config.System
}

// Run serves one call. A further call for the same container adds the GPUs that it asks for. The process must have been sealed
// (confine.Seal).
func Run(o *Options) error {
	proc, err := confine.OpenProc()
	if err != nil {
		return err
	}
	defer proc.Close()

	// state: which container, and what its configuration asks for.
	container, err := oci.Read(o.State)
	if o.Stage == CreateContainer && errors.Is(err, unix.EACCES) {
		return fault.Advise(err, "at createContainer the hook is a user of the container's, to whom the engine does not show the bundle: "+
			"use it at createRuntime, by `capsule-run hook install`, `hook inject` or `cdi generate`")
	}
	if err != nil {
		return fault.Advise(err, "the hook is for an engine to call: `capsule-run hook install` and `hook inject` say how")
	}

	// asked: what the administrator's configuration makes of it.
	if err := o.load(); err != nil {
		return err
	}
	answer, err := ask.Decide(ask.Input{Entry: o.GPU, Annotations: container.Annotations, Getenv: container.Getenv,
		Policy: o.system.Hook, File: o.configFile()})
	if err != nil {
		return err
	}
	if len(answer.GPUs) == 0 {
		o.Verbose("container %s is left alone: %s", container.ID, answer.Why)
		return nil
	}
	o.Verbose("container %s gets GPU %v: %s", container.ID, answer.GPUs, answer.Why)

	// enter: the container's root as it is mounted, by descriptor; a thread for what must be done among its mounts.
	inside, err := enter(o, proc, container)
	if err != nil {
		return err
	}
	defer inside.Close()
	if earlier, done, err := inside.place.Stamp(); err != nil {
		return fmt.Errorf("container %s: %w", container.ID, err)
	} else if done {
		return again(o, inside, container, earlier, answer.GPUs)
	}

	// inspect, discover, plan, build, or what an earlier container of the same image and host has left of them.
	built, err := prepare(o, inside)
	if err != nil {
		return fmt.Errorf("container %s: %w", container.ID, err)
	}
	defer built.Close()
	if err := built.record.check(container); err != nil {
		return fmt.Errorf("container %s: %w", container.ID, err)
	}

	// mount: sources are opened here, in the host's mount namespace, and only moved in the container's.
	what, err := gather(o, built, answer.GPUs)
	if errors.Is(err, unix.EMFILE) {
		err = fault.Advise(err, "give the container a limit of open files of 1024, or use the hook at createRuntime")
	}
	if err != nil {
		return fmt.Errorf("container %s: %w", container.ID, err)
	}
	if err := inside.place.Put(what); err != nil {
		return fmt.Errorf("container %s: %w", container.ID, fault.Advise(err, hintTree))
	}
	o.Verbose("container %s has its capsule", container.ID)
	for _, text := range stages.Told(built.record.LeftOut, "inspect") {
		o.Warn(fmt.Sprintf("container %s: %s", container.ID, text))
	}
	return nil
}

// Optional says whether a container may start although Run failed.
func (o *Options) Optional() bool {
	mode := o.Mode
	if mode == "" && o.system != nil {
		mode = o.system.Hook.Mode
	}
	return mode == config.ModeOptional
}

func (o *Options) configFile() string {
	if o.Config != "" {
		return o.Config
	}
	return config.SystemFile
}

func (o *Options) load() (err error) {
	o.system, err = config.LoadSystem(o.configFile(), o.Config != "")
	if err != nil {
		return err
	}
	if o.Host != "" {
		o.system.Hook.Host = o.Host
	}
	if o.NoDevices {
		brings := false
		o.system.Hook.Devices = &brings
	}
	return nil
}
