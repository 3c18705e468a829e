package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/capsule/manifest"
	"github.com/capsule-run/capsule-run/internal/dynelf/elftest"
)

const rounds = 3000 // files of each kind

// A damaged file is refused, or read without an access outside of it. The damage is the same in each run.
func TestDamagedFiles(t *testing.T) {
	driver := build(t)
	m := manifest.Manifest{RootPath: "/run/capsule/root.so", HostDir: "/run/capsule/host",
		Objects: []manifest.Object{{Kind: manifest.Base, Soname: "libc.so.6", BuildID: bytes.Repeat([]byte{7}, 20)},
			{Kind: manifest.Proxy, Soname: "libc.so.6", Path: "/p/libc.so.6", Sources: []uint32{0}},
			{Kind: manifest.Host, Soname: "libx.so", Path: "/h/libx.so", Closure: []uint32{1}}},
		Aliases: []manifest.Alias{{Path: "/usr/lib/libx.so", Object: 2}},
		Maps:    []manifest.PathMap{{From: "/usr/share/a", To: "/run/capsule/share/a"}}}
	good, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	library := elftest.Lib{Soname: "liby.so", Needed: []string{"libc.so.6", "libx.so"}, Exports: []string{"y"}}.Bytes()
	library = append(library, bytes.Repeat([]byte("x"), 4096)...) // what is read of a name at the end is as much as can be

	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	var list strings.Builder
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for i := range rounds {
		damaged := damage(random, good)
		if i%2 == 0 && len(damaged) >= 16 {
			binary.LittleEndian.PutUint32(damaged[12:], uint32(len(damaged))) // the size is right: look further
		}
		fmt.Fprintln(&list, write(fmt.Sprintf("%d.manifest", i), damaged))
		fmt.Fprintln(&list, write(fmt.Sprintf("%d.so", i), damage(random, library)))
	}
	cmd := exec.CommandContext(t.Context(), driver)
	cmd.Stdin = strings.NewReader(list.String())
	cmd.Env = append(os.Environ(), "GOOD_MANIFEST="+write("good.manifest", good), "ASAN_OPTIONS=detect_leaks=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var accepted, refused int
	if _, err := fmt.Sscanf(string(out), "%d accepted, %d refused", &accepted, &refused); err != nil || accepted < 100 || refused < 100 {
		t.Errorf("too few of one kind to mean anything: %s", out)
	}
}

// damage changes a few bytes or words, most of them near the beginning, where offsets and counts are; or cuts.
func damage(random *rand.Rand, good []byte) []byte {
	b := bytes.Clone(good)
	for range 1 + random.IntN(3) {
		at := random.IntN(min(len(b), 4096))
		if random.IntN(2) == 0 {
			at = random.IntN(min(len(b), 256))
		}
		values := []uint32{0, 1, 0x7fffffff, 0x80000000, 0xffffffff, uint32(len(b)), uint32(len(b)) - 1, random.Uint32()}
		if at &^= 3; random.IntN(2) == 0 && at+4 <= len(b) {
			binary.LittleEndian.PutUint32(b[at:], values[random.IntN(len(values))])
		} else {
			b[at] ^= 1 << random.IntN(8)
		}
	}
	if random.IntN(8) == 0 {
		b = b[:random.IntN(len(b))]
	}
	return b
}

func build(t *testing.T) string {
	t.Helper()
	driver := filepath.Join(t.TempDir(), "driver")
	cmd := exec.Command("gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
		"-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-I../../cshim/include", "-I../../cshim/libcapsule",
		"-I../../cshim/arch/x86_64", "-o", driver, "driver/main.c")
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Skipf("no gcc with its sanitizers here: %v\n%s", err, out)
	}
	return driver
}
