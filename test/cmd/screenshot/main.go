// Command screenshot runs a program on a virtual X display of its own and writes a PNG of the screen.
//
//	screenshot -o demo.png [-after 8s] [-scene] [-window NAME] -- COMMAND [ARG…]
//
// It waits until the screen shows a scene and the time given by -after has passed, takes the picture, and ends
// the command. With -scene it fails if no scene has appeared by -limit. With -window, and if there is a display already
// (DISPLAY), the command runs there, and the picture is of its window of that name.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/capsule-run/capsule-run/test/screen"
	"github.com/capsule-run/capsule-run/test/xvfb"
)

func main() {
	out := flag.String("o", "screen.png", "`FILE` to write")
	after := flag.Duration("after", 5*time.Second, "take the picture not before this")
	limit := flag.Duration("limit", time.Minute, "give up waiting for a scene")
	scene := flag.Bool("scene", false, "fail unless the picture shows a scene")
	window := flag.String("window", "", "use the display that is there, and take the window of this `NAME`")
	flag.Parse()
	if err := run(*out, *after, *limit, *scene, *window, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "screenshot: error:", err)
		os.Exit(1)
	}
}

func run(out string, after, limit time.Duration, needScene bool, window string, command []string) error {
	if len(command) == 0 {
		return errors.New("usage: screenshot [-o FILE] [-after TIME] [-scene] -- COMMAND [ARG…]")
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = os.Environ()
	shoot := func() (image.Image, error) { return xvfb.Window(window) }
	if window == "" || os.Getenv("DISPLAY") == "" {
		server, err := xvfb.New()
		if err != nil {
			return err
		}
		defer server.Close()
		cmd.Env = append(cmd.Env, server.Env()...)
		shoot = server.Screenshot
	}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", command[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer end(cmd, ended)

	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt, syscall.SIGTERM)
	begin := time.Now()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("%s ended before the picture was taken (%v)", command[0], cmd.ProcessState)
		case <-interrupt:
			return errors.New("interrupted")
		case <-tick.C:
		}
		if time.Since(begin) < after {
			continue
		}
		img, err := shoot()
		if err != nil && time.Since(begin) < limit {
			continue // the window is not there yet
		}
		if err != nil {
			return err
		}
		notScene := screen.LooksLikeScene(img)
		if notScene != nil && time.Since(begin) < limit {
			continue
		}
		if err := write(out, img); err != nil {
			return err
		}
		if needScene {
			return notScene
		}
		return nil
	}
}

// end asks the command's process group to leave, and kills it if it does not.
func end(cmd *exec.Cmd, ended chan error) {
	syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}
}

// write replaces the file in one step: a picture is there whole or not at all.
func write(name string, img image.Image) error {
	var text bytes.Buffer
	if err := png.Encode(&text, img); err != nil {
		return fmt.Errorf("encode picture: %w", err)
	}
	temp := name + ".new"
	if err := os.WriteFile(temp, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	if err := os.Rename(temp, name); err != nil {
		os.Remove(temp)
		return fmt.Errorf("write picture: %w", err)
	}
	return nil
}
