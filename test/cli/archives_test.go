package cli

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdTarball writes `tarball FILE ENTRY…`, where an entry is a directory (`usr/`), a file (`usr/a`), one of so many
// zeros (`usr/a=4096`), a symbolic link (`a -> b`), a hard link (`a => b`) or a character device (`a !`).
func cmdTarball(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	w := tar.NewWriter(f)
	for _, entry := range args[1:] {
		h := &tar.Header{Name: entry, Mode: 0o644}
		zeros := int64(0)
		if name, target, ok := strings.Cut(entry, " -> "); ok {
			h.Name, h.Linkname, h.Typeflag = name, target, tar.TypeSymlink
		} else if name, target, ok := strings.Cut(entry, " => "); ok {
			h.Name, h.Linkname, h.Typeflag = name, target, tar.TypeLink
		} else if name, ok := strings.CutSuffix(entry, " !"); ok {
			h.Name, h.Typeflag, h.Devmajor, h.Devminor = name, tar.TypeChar, 1, 3
		} else if name, size, ok := strings.Cut(entry, "="); ok {
			zeros, err = strconv.ParseInt(size, 10, 64)
			ts.Check(err)
			h.Name, h.Typeflag, h.Size = name, tar.TypeReg, zeros
		} else if strings.HasSuffix(entry, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		} else {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(entry))
		}
		ts.Check(w.WriteHeader(h))
		switch {
		case zeros > 0:
			_, err = w.Write(make([]byte, zeros))
		case h.Size > 0:
			_, err = w.Write([]byte(entry))
		}
		ts.Check(err)
	}
	ts.Check(w.Close())
}

// cmdImage writes an OCI image layout: `image DIR TAG=TARBALL…`, where a tag may have @ARCHITECTURE behind it. A tag of no
// letters is none.
func cmdImage(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	blobs := filepath.Join(dir, "blobs/sha256")
	ts.Check(os.MkdirAll(blobs, 0o755))
	const media = "application/vnd.oci.image."
	blob := func(kind string, text []byte) map[string]any {
		name := fmt.Sprintf("%x", sha256.Sum256(text))
		ts.Check(os.WriteFile(filepath.Join(blobs, name), text, 0o644))
		return map[string]any{"mediaType": media + kind, "digest": "sha256:" + name, "size": len(text)}
	}
	encode := func(v any) []byte {
		text, err := json.Marshal(v)
		ts.Check(err)
		return text
	}
	var manifests []any
	for _, image := range args[1:] {
		name, file, _ := strings.Cut(image, "=")
		tag, arch, _ := strings.Cut(name, "@")
		layer, err := os.ReadFile(ts.MkAbs(file))
		ts.Check(err)
		d := blob("manifest.v1+json", encode(map[string]any{"schemaVersion": 2, "mediaType": media + "manifest.v1+json",
			"config": blob("config.v1+json", []byte("{}")), "layers": []any{blob("layer.v1.tar", layer)}}))
		if tag != "" {
			d["annotations"] = map[string]string{"org.opencontainers.image.ref.name": tag}
		}
		if arch != "" {
			d["platform"] = map[string]string{"os": "linux", "architecture": arch}
		}
		manifests = append(manifests, d)
	}
	index := map[string]any{"schemaVersion": 2, "mediaType": media + "index.v1+json", "manifests": manifests}
	ts.Check(os.WriteFile(filepath.Join(dir, "index.json"), encode(index), 0o644))
	ts.Check(os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
}
