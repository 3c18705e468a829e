package runtimes

import (
	"bytes"
	"io"
	"os/exec"
	"runtime"
	"testing"
)

// Whatever the bytes, a decoder does not panic, and takes no more memory than an archive may ask for:
// a window, and smaller ones before it.
func FuzzDecompress(f *testing.F) {
	data := archive(f, small...)
	for _, how := range []string{"", "gz", "xz", "zst"} {
		f.Add(compressed(f, how, data))
	}
	bz := exec.Command("bzip2")
	bz.Stdin = bytes.NewReader(data)
	if out, err := bz.Output(); err == nil {
		f.Add(out)
	}
	// zstd: a frame with a window of 128 MiB, RFC 8878, 3.1.1.1.2, and a block of one byte.
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 1<<3 | 1, 0, 0, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := decompress(bytes.NewReader(b))
		if err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(r, 1<<20))
			r.Close()
		}
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(4*maxWindow); got > most {
			t.Errorf("got %d bytes of memory for %d, want %d at most (%v)", got, len(b), most, err)
		}
	})
}
