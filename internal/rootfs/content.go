package rootfs

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Content is a path on which an answer depended, and what was there, in terms that hold for a copy of the tree as well:
// another container of the same image has other inodes and times. Only what was looked at counts. Two trees for which
// all Contents are the same give the same answers.
type Content struct {
	// Path is inside the root, and canonical.
	Path string `json:"path"`
	// Type is the file's, of st_mode; 0 where nothing is.
	Type uint32 `json:"type,omitempty"`
	// Link is a symbolic link's text.
	Link string `json:"link,omitempty"`
	// Names is a digest of a directory's names, if they were read.
	Names string `json:"names,omitempty"`
	// Size and Ranges, pairs of offset and length in bytes, are of an opened file; Digest is of the bytes in them.
	Size   int64   `json:"size,omitempty"`
	Ranges []int64 `json:"ranges,omitempty"`
	Digest string  `json:"digest,omitempty"`
}

// maxRange bounds what Same reads at once, in bytes. Nothing here reads more of a file at a time.
const maxRange = 64 << 20

// What is done costs of the bytes that RecordContents allows, besides what is read: one budget
// bounds memory and time alike. A name that is examined is kept, in memory and in what Contents
// returns; a step of a path, a name in a listing, a file that is opened take time. A byte is worth
// some 15 ns: nothing may take longer for what it costs.
const (
	nodeCost  = 4096 // and 32 for each byte of its path
	stepCost  = 64   // and the path so far, which is put together anew
	nameCost  = 32   // of a listing, and the name
	openCost  = 2048 // a file, or a directory that is listed
	readCost  = 256  // a ReadAt
	matchCost = 4    // pairs of a byte of a pattern and one of a name, a byte
)

// RecordContents makes the Root remember, from now on, the bytes that are read, so that Contents
// can be called. Beyond most bytes of all files together, what else is done included (see the
// costs), everything fails with ErrTooLarge: they are kept in memory, and a hostile tree has any
// number.
func (r *Root) RecordContents(most int64) {
	r.Limit(most)
	r.recording = true
	r.unsure.Store(false) // of questions before
}

// Limit bounds what Same and other questions may cost, in the same bytes: beyond them everything
// fails.
func (r *Root) Limit(most int64) {
	r.limited = true
	r.budget.Store(most)
}

// spend takes what something costs from what is allowed, and says whether there was as much.
func (r *Root) spend(n int) bool {
	if !r.limited || r.budget.Add(-int64(n)) >= 0 {
		return true
	}
	r.failed(nil)
	return false
}

// Spend takes from what is allowed for what a caller makes of the bytes that were read: many times
// as many, or slowly. The error is ErrTooLarge.
func (r *Root) Spend(n int) error {
	if r.spend(n) {
		return nil
	}
	return fmt.Errorf("%s: %w", r.dir, errTooMuch)
}

// Overspent returns an error if more was asked for than RecordContents allows: then answers may be wrong.
func (r *Root) Overspent() error {
	if !r.limited || r.budget.Load() >= 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", r.dir, errTooMuch)
}

var errTooMuch = fmt.Errorf("%w: too much in all", ErrTooLarge)

// File is an open regular file. It is read by ReadAt where the reads are to be remembered.
type File struct {
	*os.File
	reads *reads
	root  *Root
}

// reads are the bytes of one file that were looked at. A file that is opened twice has one list. The bytes are kept, not
// read once more for the digest: a file that is changed in between must not pass for what was looked at.
type reads struct {
	mu     sync.Mutex
	size   int64
	pieces []piece
}

type piece struct {
	off   int64
	bytes []byte
}

func (r *Root) readsOf(canonical string) *reads {
	if !r.recording {
		return nil
	}
	r.spend(openCost) // whoever reads more than is left fails
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.access[canonical]
	if a.reads == nil {
		a.reads = &reads{size: a.n.size}
	}
	return a.reads
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	if f.reads != nil && !f.root.spend(readCost+len(b)) {
		return 0, fmt.Errorf("%s: %w", f.Name(), errTooMuch)
	}
	n, err := f.File.ReadAt(b, off)
	if err != nil && err != io.EOF {
		f.root.failed(err)
	}
	f.note(b[:n], off)
	return n, err
}

func (f *File) note(b []byte, off int64) {
	if f.reads == nil || len(b) == 0 {
		return
	}
	f.reads.mu.Lock()
	defer f.reads.mu.Unlock()
	f.reads.pieces = append(f.reads.pieces, piece{off, bytes.Clone(b)})
}

// joined returns the pieces in the order of the file, as few ranges as possible, and a digest of all bytes in them. ok is
// false if a byte was read twice and differed: then the file was changed meanwhile.
func (r *reads) joined() (ranges []int64, digest string, ok bool) {
	slices.SortStableFunc(r.pieces, func(a, b piece) int { return cmp.Compare(a.off, b.off) })
	h := sha256.New()
	var all []byte // of the current range
	for _, p := range r.pieces {
		if n := len(ranges); n > 0 && p.off <= ranges[n-2]+ranges[n-1] {
			at := p.off - ranges[n-2]
			common := min(int64(len(all))-at, int64(len(p.bytes)))
			if !bytes.Equal(all[at:at+common], p.bytes[:common]) {
				return nil, "", false
			}
			all = append(all, p.bytes[common:]...)
			ranges[n-1] = int64(len(all))
			continue
		}
		h.Write(all)
		all = append(all[:0], p.bytes...)
		ranges = append(ranges, p.off, int64(len(all)))
	}
	h.Write(all)
	return ranges, hex.EncodeToString(h.Sum(nil)), true
}

// readAll reads to the end, or limit+1 bytes.
func (f *File) readAll(limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(f.File, limit+1))
	if err != nil {
		f.root.failed(err)
	}
	if err == nil && f.reads != nil && !f.root.spend(len(b)) {
		return nil, fmt.Errorf("%s: %w", f.Name(), errTooMuch)
	}
	f.note(b, 0)
	return b, err
}

func (r *Root) noteNames(canonical string, names []string) {
	if !r.recording {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.access[canonical].names = digestOf(names)
}

func digestOf(names []string) string {
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	return hex.EncodeToString(sum[:])
}

// Contents returns what was consulted since RecordContents, sorted by path.
func (r *Root) Contents() []Content {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Content
	if r.unsure.Load() {
		out = append(out, Content{Path: "/"}) // a tree without a root: none is the same
	}
	for p, a := range r.access {
		if a.n.err != nil {
			continue
		}
		if !utf8.ValidString(p + a.n.target) { // JSON would make another name of it
			out = append(out, Content{Path: "/"})
		}
		c := Content{Path: p, Type: a.n.mode & unix.S_IFMT, Link: a.n.target, Names: a.names}
		if a.reads != nil {
			c.Size = a.reads.size
			var ok bool
			if c.Ranges, c.Digest, ok = a.reads.joined(); !ok {
				c.Digest = "changed" // no file has it
			}
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Content) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// failed notes that an answer depended on something that no Content tells: an error other than that nothing is there, or a
// nil error for what is there in an odd form. Contents then hold for no other tree. Otherwise a container could make, by
// an error of its own, what is used for another. Of an error that says what the machine was short of, Trace tells too.
func (r *Root) failed(err error) {
	r.unsure.Store(true)
	for _, short := range []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EIO, unix.EINTR} {
		if errors.Is(err, short) {
			r.short.Store(true)
		}
	}
}

// isStill says whether an opened file is what its name was found to be.
func (r *Root) isStill(canonical string, st *unix.Stat_t) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.nodes[canonical]
	return n != nil && n.dev == st.Dev && n.ino == st.Ino && n.size == st.Size
}

// Same says whether this tree has the same at that path. Other errors than "no such file" count as a difference.
func (r *Root) Same(c Content) bool {
	r.mu.Lock()
	canonical, n, err := r.walk(c.Path, false)
	r.mu.Unlock()
	if err != nil {
		return c.Type == 0 && errors.Is(err, fs.ErrNotExist)
	}
	if canonical != c.Path || n.mode&unix.S_IFMT != c.Type || n.target != c.Link {
		return false
	}
	if c.Names != "" {
		if names, err := r.ReadDir(c.Path); err != nil || digestOf(names) != c.Names {
			return false
		}
	}
	return c.Digest == "" || n.size == c.Size && r.sameBytes(c)
}

func (r *Root) sameBytes(c Content) bool {
	f, err := r.OpenFile(c.Path)
	if err != nil {
		return false
	}
	defer f.Close()
	cost := openCost
	for i := 1; i < len(c.Ranges); i += 2 {
		if n := c.Ranges[i]; n < 0 || n > maxRange || !r.spend(cost+readCost+int(n)) {
			return false
		}
		cost = 0
	}
	h := sha256.New()
	if err := copyRanges(h, f.File, c.Ranges, c.Size); err != nil {
		return false
	}
	return hex.EncodeToString(h.Sum(nil)) == c.Digest
}

func copyRanges(w io.Writer, f io.ReaderAt, ranges []int64, size int64) error {
	var b []byte
	for i := 0; i+1 < len(ranges); i += 2 {
		off, n := ranges[i], ranges[i+1]
		if off < 0 || n < 0 || n > maxRange || off > size || n > size-off {
			return fmt.Errorf("range %d+%d of %d bytes", off, n, size)
		}
		b = slices.Grow(b[:0], int(n))[:n]
		if _, err := f.ReadAt(b, off); err != nil && err != io.EOF {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}
