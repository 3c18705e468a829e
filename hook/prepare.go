package hook

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/capsule-run/capsule-run/capsule"
	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/configs"
	"github.com/capsule-run/capsule-run/hook/oci"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/mount"
	"github.com/capsule-run/capsule-run/internal/rootfs"
	"github.com/capsule-run/capsule-run/internal/runtimetree"
	"github.com/capsule-run/capsule-run/internal/stages"
)

// record is what a warm start needs of a build besides its files.
type record struct {
	// Contents is what was read of the container's file tree: a container with the same gets the same plan.
	Contents []rootfs.Content  `json:"contents"`
	Mounts   []mount.Op        `json:"mounts"` // sources of generated files relative to the build
	Tunable  string            `json:"tunable,omitempty"`
	Environ  map[string]string `json:"environment,omitempty"`
	// LeftOut are the host's drivers that the container does without.
	LeftOut []string `json:"left_out,omitempty"`
}

// built is a build with its record.
type built struct {
	*build.Built
	record record
	done   func()
}

// Close lets go of the build. What was opened of it stays usable.
func (b *built) Close() {
	b.Built.Close()
	b.done()
}

const (
	// maxRead is in bytes: what may be read of a container's tree, with what is made of it and how
	// long that takes (package rootfs has the costs). Debian's take 5 MB.
	maxRead = 64 << 20
	// maxRecord is in bytes: later containers read the records of all images. Debian's have 25 KB.
	maxRecord = 1 << 20
	// recordCost is what a byte of another image's record costs (rootfs.Root.Spend): builds in use
	// stay, however many they are.
	recordCost = 3
	// memory is in bytes: from there on the garbage collector takes more time, rather than the
	// process more memory. What is in use at a time is less, whatever the image.
	memory = 160 << 20
)

// prepare returns what is to be mounted: from the cache while nothing of the host has changed and the container has what
// an earlier one had, else made now.
func prepare(o *Options, in *inside) (*built, error) {
	store, done, err := openStore(o)
	if err != nil {
		return nil, err
	}
	out, err := prepareIn(store, o, in)
	if err != nil {
		done()
		return nil, err
	}
	out.done = done
	return out, nil
}

func prepareIn(store *build.Store, o *Options, in *inside) (*built, error) {
	w := o.wishes()
	sources, err := configs.Sources(configs.MachineDir)
	if err != nil {
		return nil, rulesError(err)
	}
	parts := []string{"hook", w.Version, o.Identity, o.host(), w.Boundary.All, strings.Join(w.Libraries, "\x00")}
	for _, s := range sources {
		parts = append(parts, s.Name, string(s.Text))
	}
	key := build.Key(parts...)
	out := &built{}
	in.tree.Limit(2 * maxRead) // other images may have left records that agree with this one almost to the end
	out.Built = store.LookupAny(key, func(b *build.Built) bool {
		var r record
		if in.tree.Spend(recordCost*len(b.Record.Launch)) != nil {
			return false
		}
		if json.Unmarshal(b.Record.Launch, &r) != nil {
			return false
		}
		for _, c := range r.Contents {
			if !in.tree.Same(c) {
				return false
			}
		}
		out.record = r
		return true
	})
	if out.Built != nil {
		o.Verbose("known: using %s", out.Dir)
		return out, nil
	}
	if w.Rules, err = configs.Merge(sources); err != nil {
		return nil, rulesError(err)
	}
	story, err := decide(o, in, w)
	if err != nil {
		return nil, err
	}
	defer story.Host.Close()
	out.record = record{Contents: in.tree.Contents(), Mounts: story.Plan.Mounts, Tunable: story.Plan.Tunable(),
		Environ: story.Plan.Environment, LeftOut: story.LeftOut()}
	text, err := json.Marshal(out.record)
	if err != nil {
		return nil, fmt.Errorf("encode the record: %w", err)
	}
	if len(text) > maxRecord {
		return nil, fault.WithHint(fmt.Errorf("a record of %d bytes is %w", len(text), build.ErrTooLarge), hintImage)
	}
	out.Built, err = store.Build(key, story.Plan, build.Record{Inputs: story.Host.Trace(), Launch: text})
	if build.IsTooLarge(err) {
		return nil, fault.WithHint(err, hintImage)
	}
	if err != nil {
		return nil, fault.WithHint(err, "make "+store.Dir()+" usable, or name another directory with --cache in the hook's entry")
	}
	o.Verbose("built %s", out.Dir)
	return out, nil
}

const hintImage = "the image is damaged or no ordinary one: pull or build it again, or start it without GPU"

// decide inspects the container, discovers what the host has, and plans. If there is no error the
// caller closes the host's tree, and no other.
func decide(o *Options, in *inside, w *stages.Wishes) (*stages.Story, error) {
	debug.SetMemoryLimit(memory)
	in.tree.RecordContents(maxRead)
	story, err := plan(o, in, w)
	if over := in.tree.Overspent(); over != nil { // which any other error, or none, comes of
		if err == nil {
			story.Host.Close()
		}
		return nil, fault.WithHint(over, hintImage)
	}
	return story, err
}

func plan(o *Options, in *inside, w *stages.Wishes) (*stages.Story, error) {
	o.Verbose("inspecting the container's file tree")
	tree, err := runtimetree.InspectRoot(in.tree)
	if err != nil {
		return nil, explain(err, hintImage)
	}
	host, err := rootfs.Open(o.host())
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("host: %w", err), "set hook.host in "+o.configFile())
	}
	story, err := stages.Look(tree, host, w)
	if err != nil {
		return nil, explain(err, fault.Hint(err))
	}
	if err := story.Decide(w); err != nil {
		return nil, fault.Advise(explain(err, ""), hintImage)
	}
	return story, nil
}

func (o *Options) wishes() *stages.Wishes {
	h := o.system.Hook
	boundary := h.Boundary
	if boundary == "" {
		// The driver boundary tells the runtime's loaders of the drivers by variables, which a hook cannot set.
		boundary = capsule.BoundaryFrontend
	}
	return &stages.Wishes{Version: o.Version, Dir: capsule.ContainerDir, Boundary: capsule.Boundaries{All: boundary}, Libraries: h.Libraries,
		Getenv: func(string) string { return "" }, Progress: o.Verbose, Verbose: o.Verbose}
}

func rulesError(err error) error {
	return fault.Advise(err, "correct or remove the file; docs/rules.md says what it may have")
}

// host is the root of the host's tree, without links.
func (o *Options) host() string {
	dir := cmp.Or(o.Host, o.system.Hook.Host, "/")
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return dir
}

// check refuses a container whose programs would lack a variable that the plan needs: a hook cannot set one.
func (r *record) check(c *oci.Container) error {
	for name, value := range r.Environ {
		if have, _ := c.Getenv(name); have != value {
			return missingVariable(name, value)
		}
	}
	if r.Tunable == "" {
		return nil
	}
	const name = "GLIBC_TUNABLES"
	have, _ := c.Getenv(name)
	tunable, _, _ := strings.Cut(r.Tunable, "=")
	for t := range strings.SplitSeq(have, ":") {
		if strings.HasPrefix(t, tunable+"=") {
			return nil // the container's own value, as the launcher leaves the user's
		}
	}
	return missingVariable(name, r.Tunable)
}

func missingVariable(name, value string) error {
	return fault.WithHint(fmt.Errorf("the host's driver needs %s=%s in the container's environment, which a hook cannot set", name, value),
		fmt.Sprintf("start the container with --env %s=%s, or let `capsule-run hook inject` or CDI set it", name, value))
}
