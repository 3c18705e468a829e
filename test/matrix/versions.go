package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// versionOf finds what a pattern's group matches in the name or the contents of the first file of a glob.
func versionOf(pattern, glob string) (string, bool) {
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		return "", false
	}
	re := regexp.MustCompile(pattern)
	if m := re.FindStringSubmatch(files[0]); m != nil {
		return m[1], true
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return "", false
	}
	if m := re.FindSubmatch(text); m != nil {
		return string(m[1]), true
	}
	return "", false
}

// glibc is the release of a tree's C library, as the library itself says.
func glibc(root, triplet string) (string, error) {
	for _, lib := range []string{"/usr/lib/", "/lib/"} {
		if v, ok := versionOf(`stable release version (\d+\.\d+)`, root+lib+triplet+"/libc.so.6"); ok {
			return v, nil
		}
	}
	return "", fmt.Errorf("no glibc in %s", root)
}

// mesa is the version of a host's Mesa: in the name of its library since 24.3, before that in the software driver.
func mesa(root, triplet string) (string, error) {
	if v, ok := versionOf(`libgallium-(\d+\.\d+\.\d+)`, root+"/usr/lib/"+triplet+"/libgallium-*.so"); ok {
		return v, nil
	}
	if v, ok := versionOf(`Mesa (\d+\.\d+\.\d+)`, root+"/usr/lib/"+triplet+"/dri/swrast_dri.so"); ok {
		return v, nil
	}
	return "", fmt.Errorf("no Mesa in %s", root)
}
