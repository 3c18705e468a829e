package runtimes

import (
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// maxMtree bounds a description that is not compressed, in bytes; that of Steam Runtime 3 has some 3 MB.
	maxMtree = 64 << 20
	// maxMtreeLine bounds one of its lines: two paths of 4096 bytes, with four characters for each.
	maxMtreeLine = 64 << 10
	// maxMtreeFiles bounds files and directories: a line of a few bytes may name hundreds. That of
	// Steam Runtime 3 has some 30,000.
	maxMtreeFiles = 1 << 20
	// maxMtreeDepth bounds directories in directories, each of which is an open file when the tree
	// is removed.
	maxMtreeDepth = 256
)

// mtreeEntry is a line of the description: of mtree(5) what populate-depot.py of steam-runtime-tools writes.
type mtreeEntry struct {
	name     string // relative to files/, without "./" or ".."
	kind     string // file, dir, link
	link     string
	contents string // the name in the depot
	size     int64  // -1 where it is not told
	exec     bool
	optional bool
	time     time.Time // zero where it is not told
}

// parseMtree reads a line; an empty name means that there is nothing to do for it.
func parseMtree(line string) (mtreeEntry, error) {
	e := mtreeEntry{size: -1}
	words := strings.Fields(line)
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return e, nil
	}
	var err error
	if e.name, err = mtreePath(words[0]); err != nil {
		return e, err
	}
	e.contents = e.name
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "type":
			e.kind = value
		case "link":
			e.link, err = unescape(value)
		case "contents", "content":
			e.contents, err = mtreePath(value)
		case "size":
			e.size, err = strconv.ParseInt(value, 10, 64)
		case "mode":
			var mode uint64
			mode, err = strconv.ParseUint(value, 8, 32)
			e.exec = mode&0o111 != 0
		case "time": // a fraction has nine digits, or is 0
			var seconds int64
			whole, _, _ := strings.Cut(value, ".")
			seconds, err = strconv.ParseInt(whole, 10, 64)
			e.time = time.Unix(seconds, 0)
		case "optional":
			e.optional = true
		}
		if err != nil {
			return e, err
		}
	}
	switch {
	case e.kind != "file" && e.kind != "dir" && e.kind != "link":
		return e, fmt.Errorf("%s: entry of the type %q", e.name, e.kind)
	case (e.kind == "link") != (e.link != ""):
		return e, fmt.Errorf("%s: entry of the type %s with a target %q", e.name, e.kind, e.link)
	case e.name == "." && e.kind == "dir":
		e.name = ""
	case strings.Count(e.name, "/") >= maxMtreeDepth:
		return e, fmt.Errorf("%.40s…: more than %d directories deep", e.name, maxMtreeDepth)
	case e.name == ".":
		return e, fmt.Errorf("the top is a %s", e.kind)
	}
	return e, nil
}

// mtreePath reads a name, which begins with "./" and does not lead upwards.
func mtreePath(text string) (string, error) {
	p, err := unescape(text)
	if err != nil {
		return "", err
	}
	if p != "." && !strings.HasPrefix(p, "./") || !filepath.IsLocal(p) || path.Clean(p) != "." && "./"+path.Clean(p) != p {
		return "", fmt.Errorf("%q is no name below the top", p)
	}
	return path.Clean(p), nil
}

// unescape reads what is written as \ooo, and \\.
func unescape(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch rest := text[i+1:]; {
		case text[i] != '\\':
			b.WriteByte(text[i])
		case strings.HasPrefix(rest, `\`):
			b.WriteByte('\\')
			i++
		default:
			if len(rest) < 3 {
				return "", fmt.Errorf("%q ends in an escape", text)
			}
			n, err := strconv.ParseUint(rest[:3], 8, 8)
			if err != nil || n == 0 {
				return "", fmt.Errorf("%q has an escape that is not known", text)
			}
			b.WriteByte(byte(n))
			i += 3
		}
	}
	return b.String(), nil
}
