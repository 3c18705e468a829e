// Package imports checks that imports run one way: from the stages downwards to what they stand on. It exists because
// a cycle is the compiler's business, but a layer that reaches around another one is nobody's.
package imports

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/capsule-run/capsule-run/"

// layers from the top; a package may import packages of lower layers only. Packages of one layer do not know each
// other.
var layers = [][]string{
	{"cmd/capsule-run", "cmd/capsule-hook"},
	{"hook/serve", "internal/doctor"},
	{"internal/run", "hook"},
	{"hook/ask", "hook/place", "hook/setup", "internal/runtimes"},
	{"internal/doctor/page"},
	{"internal/doctor/report"},
	{"capsule/build", "internal/launch", "internal/layout", "internal/stages", "internal/inspection"},
	{"capsule", "cdi", "hostlibs", "internal/runtimetree", "internal/steam", "internal/direct", "internal/config", "hook/oci", "hook/confine"},
	{"hostgpu"},
	{"capsule/dso", "capsule/manifest", "capsule/relr", "internal/ldso", "internal/mount", "internal/private", "configs", "cshim"},
	{"internal/ldcache", "internal/dynelf", "internal/rootfs", "internal/trust", "internal/inuse", "internal/tomlfile"},
	{"internal/table"},
	{"internal/arch", "internal/fault", "internal/pattern", "internal/replace", "internal/regular", "internal/inroot", "internal/untar", "internal/jsontext"},
}

func TestImportsRunOneWay(t *testing.T) {
	layerOf := map[string]int{}
	for i, l := range layers {
		for _, p := range l {
			layerOf[p] = i
		}
	}
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(p.ImportPath, module)
		fromLayer, production := layerOf[from]
		if !production {
			if !strings.HasPrefix(from, "test/") && !strings.HasSuffix(from, "test") {
				t.Errorf("%s is in no layer: enter it in this test", from)
			}
			continue
		}
		seen++
		for _, i := range p.Imports {
			to, ours := strings.CutPrefix(i, module)
			if !ours {
				continue
			}
			toLayer, known := layerOf[to]
			if !known || toLayer <= fromLayer {
				t.Errorf("%s imports %s, which is not below it", from, to)
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d packages were looked at", seen)
	}
}
