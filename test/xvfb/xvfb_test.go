package xvfb

import (
	"encoding/binary"
	"image"
	"image/color"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// dump encodes one line of pixels as Xvfb does.
func dump(pixels ...uint32) []byte {
	data := make([]byte, xwdWords*4)
	for i, v := range map[int]uint32{0: xwdWords * 4, 1: xwdVersion, 2: xwdZPixmap, 4: uint32(len(pixels)), 5: 1,
		11: 32, 12: uint32(4 * len(pixels)), 14: 0xff0000, 15: 0xff00, 16: 0xff, 19: 1} {
		binary.BigEndian.PutUint32(data[i*4:], v)
	}
	data = append(data, make([]byte, xwdColorSize)...)
	for _, p := range pixels {
		data = binary.LittleEndian.AppendUint32(data, p)
	}
	return data
}

func TestDecodeXWD(t *testing.T) {
	img, err := decodeXWD(dump(0x112233, 0xff0000))
	if err != nil {
		t.Fatal(err)
	}
	for x, want := range []color.RGBA{{0x11, 0x22, 0x33, 0xff}, {0xff, 0, 0, 0xff}} {
		if got := img.At(x, 0); got != want {
			t.Errorf("pixel %d is %v, want %v", x, got, want)
		}
	}
	if img.Bounds() != image.Rect(0, 0, 2, 1) {
		t.Errorf("bounds are %v", img.Bounds())
	}
}

// Whatever the bytes, the decoder returns an error or a picture, and does not panic.
func FuzzDecodeXWD(f *testing.F) {
	f.Add(dump(1, 2, 3))
	f.Add(dump(1, 2, 3)[:110])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := decodeXWD(data)
		if (img == nil) == (err == nil) {
			t.Errorf("got picture %v and error %v", img != nil, err)
		}
	})
}

func needXvfb(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("Xvfb"); err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal(err)
		}
		t.Skip("needs Xvfb (test/setup.sh installs it):", err)
	}
}

// paintRoot fills the root window with one colour. It speaks the X protocol itself (X11 protocol, version 11,
// encoding appendix), least significant byte first, so that the test needs no client program.
func paintRoot(t *testing.T, display string, pixel uint32) {
	t.Helper()
	conn, err := net.Dial("unix", "/tmp/.X11-unix/X"+display[1:])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	le := binary.LittleEndian
	// Connection setup: byte order 'l', protocol 11.0, no authorization.
	if _, err := conn.Write([]byte{'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 8) // status, …, length of the rest in 4-byte units
	if _, err := io.ReadFull(conn, head); err != nil || head[0] != 1 {
		t.Fatalf("X server refused the connection: %v, %v", head, err)
	}
	setup := make([]byte, 4*int(le.Uint16(head[6:])))
	if _, err := io.ReadFull(conn, setup); err != nil {
		t.Fatal(err)
	}
	// Fixed part (32 bytes), vendor padded to 4, formats of 8 bytes; then the first screen begins with its root.
	root := le.Uint32(setup[32+(int(le.Uint16(setup[16:]))+3)/4*4+8*int(setup[21]):])
	var req []byte
	req = append(req, 2, 0, 4, 0) // ChangeWindowAttributes: background-pixel
	req = le.AppendUint32(req, root)
	req = le.AppendUint32(req, 1<<1)
	req = le.AppendUint32(req, pixel)
	req = append(req, 61, 0, 4, 0) // ClearArea of the whole window
	req = le.AppendUint32(req, root)
	req = append(req, make([]byte, 8)...)
	req = append(req, 43, 0, 1, 0) // GetInputFocus: its reply says that the requests are done
	if _, err := conn.Write(req); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
}

// Two servers run side by side, and a picture shows what a client drew on one of them only.
func TestScreenshot(t *testing.T) {
	needXvfb(t)
	a, b := Start(t), Start(t)
	if a.Display == b.Display {
		t.Fatalf("both servers are %s", a.Display)
	}
	paintRoot(t, a.Display, 0x204060)
	want := color.RGBA{0x20, 0x40, 0x60, 0xff}
	at := func(s *Server) color.Color {
		img, err := s.Screenshot()
		if err != nil {
			t.Fatal(err)
		}
		if img.Bounds() != image.Rect(0, 0, 800, 600) {
			t.Fatalf("screen is %v", img.Bounds())
		}
		return img.At(400, 300)
	}
	for range 100 { // the server may paint after the client has left
		if at(a) == want {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if at(a) != want {
		t.Errorf("%s shows %v, want %v", a.Display, at(a), want)
	}
	if at(b) == want {
		t.Errorf("%s shows what was drawn on %s", b.Display, a.Display)
	}
}

// Close ends the process and leaves no file.
func TestClose(t *testing.T) {
	needXvfb(t)
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("%s is left (%v)", s.dir, err)
	}
	if err := s.cmd.Process.Signal(os.Signal(os.Interrupt)); err == nil {
		t.Error("the server still runs")
	}
}
