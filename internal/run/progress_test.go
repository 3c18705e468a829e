package run

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// What is shown while something takes long stays in one line of the terminal, whatever its width: a line that is broken
// cannot be cleared again. Nothing is left of it.
func TestProgressFitsTheTerminal(t *testing.T) {
	for _, width := range []int{20, 50, 66, 67, 80, 132, 300, 0} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			master, terminal := openTerminal(t, width)
			o := &Options{Progress: terminal}
			o.Show("inspecting the runtime /%s", strings.Repeat("long/", 100))
			show := o.Unpacking()
			for done := range int64(11) {
				show("/a/"+strings.Repeat("ärchive\x1b[2J", 8)+".tar", done*1e8, 1e9)
			}
			o.Done()
			fmt.Fprint(terminal, "end")
			var said []byte
			for !strings.HasSuffix(string(said), "end") {
				more := make([]byte, 4096)
				n, err := master.Read(more)
				if err != nil {
					t.Fatal(err)
				}
				said = append(said, more[:n]...)
			}
			if width == 0 {
				width = 80
			}
			lines := regexp.MustCompile(`\r|\x1b\[2?K`).Split(string(said), -1)
			bars := 0
			for _, line := range lines {
				if n := utf8.RuneCountInString(line); n >= width {
					t.Errorf("%d columns: %q", n, line)
				}
				if strings.ContainsAny(line, "\x1b\n") {
					t.Errorf("%q", line)
				}
				if strings.Contains(line, "[---") {
					bars++
				}
			}
			if (bars > 0) != (width >= 50) || lines[len(lines)-1] != "end" {
				t.Errorf("%d bars in %q", bars, lines)
			}
		})
	}
}

// openTerminal makes a pseudo terminal that is as wide; 0: it does not know its width.
func openTerminal(t *testing.T, width int) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal(err)
		}
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(width)}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}
