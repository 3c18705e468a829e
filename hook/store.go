package hook

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/capsule-run/capsule-run/capsule/build"
	"github.com/capsule-run/capsule-run/hook/confine"
	"github.com/capsule-run/capsule-run/internal/fault"
	"github.com/capsule-run/capsule-run/internal/private"
	"github.com/capsule-run/capsule-run/internal/trust"
)

// SystemCache is where root's hook keeps what it generates.
const SystemCache = "/var/cache/capsule-run"

// logDir is the mode of the cache's directory, in which others may read the log.
const logDir = 0o755

// keep is how many builds stay for one host: one for each kind of image that is in use.
const keep = 16

var errNoHome = fault.WithHint(errors.New("cannot tell whose cache to use"),
	"name a directory with --cache in the hook's entry, as `capsule-run hook install --user` does")

// openStore opens the cache, and returns what is to be done with it in the end. Its directories must be ours, and nobody else
// may write to them: what is in them is loaded into every container. Where the default cannot be used (a hook that runs as
// a user of the container's) there is one for this call alone.
func openStore(o *Options) (*build.Store, func(), error) {
	keepIt := func() {}
	if o.Cache != "" {
		s, err := storeIn(o.Cache)
		return s, keepIt, err
	}
	dir, err := defaultCache()
	if err == nil {
		var s *build.Store
		if s, err = storeIn(dir); err == nil {
			return s, keepIt, nil
		}
	}
	o.Verbose("no cache: %v", err)
	if errors.Is(err, trust.ErrShared) { // which somebody should mend, and nobody would see
		o.Log(fmt.Errorf("the cache is not used: %w", err))
	}
	scratch, tempErr := private.Temporary(os.Getenv, "hook", nil)
	if tempErr != nil {
		return nil, nil, err
	}
	return build.NewStore(scratch.Dir), func() { scratch.Close() }, nil
}

func storeIn(dir string) (*build.Store, error) {
	hint := "make " + dir + " usable, or name another directory with --cache in the hook's entry"
	if !filepath.IsAbs(dir) {
		return nil, fault.WithHint(fmt.Errorf("cache %s is no absolute path", dir), hint)
	}
	builds := filepath.Join(dir, "builds")
	err := trust.Own(dir, logDir)
	if err == nil {
		err = trust.Own(builds, 0o700) // earlier releases made it for all to read, and so to lock
	}
	if err != nil {
		return nil, fault.Advise(fmt.Errorf("create the cache: %w", err), hint)
	}
	store := build.NewStore(builds)
	store.Keep = keep
	return store, nil
}

// defaultCache is SystemCache for the real root. In a user namespace, that of a rootless engine, user 0 is somebody else
// outside, and the cache is below the home directory that /etc/passwd gives for them.
func defaultCache() (string, error) {
	proc, err := confine.OpenProc()
	if err != nil {
		return "", err
	}
	defer proc.Close()
	ids, err := proc.Open("self/uid_map", unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer ids.Close()
	var inside, outside, count int64
	if _, err := fmt.Fscan(ids, &inside, &outside, &count); err != nil {
		return "", errNoHome
	}
	if uid := int64(os.Geteuid()); inside <= uid && uid < inside+count {
		outside += uid - inside
	}
	if outside == 0 {
		return SystemCache, nil
	}
	u, err := user.LookupId(strconv.FormatInt(outside, 10))
	if err != nil || !filepath.IsAbs(u.HomeDir) {
		return "", errNoHome
	}
	return filepath.Join(u.HomeDir, ".cache", "capsule-run"), nil
}
