// Package xvfb starts virtual X servers for tests and the demo, and takes pictures of their screens.
//
// It exists so that each test has a display of its own: the server chooses a free number itself (-displayfd), so
// that any number of tests run side by side. The screen is read from the server's own frame buffer file
// (-fbdir), so that no X client, and nothing of a tree under test, takes part in judging a picture. It never
// ends a process that it has not started.
package xvfb

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startLimit is how long a server may take until it names its display; on an idle machine it takes 0.1 s.
const startLimit = 30 * time.Second

// A Server is a running Xvfb.
type Server struct {
	// Display is what DISPLAY must be, for example ":3".
	Display string

	cmd  *exec.Cmd
	dir  string // holds the frame buffer file
	done chan struct{}
}

// tb is what Start needs of a *testing.T; so that the demo need not link package testing.
type tb interface {
	Helper()
	Cleanup(func())
	Fatal(...any)
}

// Start starts a server that ends with the test. Its screen is 800×600 with 24 bits a pixel.
func Start(t tb) *Server {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// New starts a server; the caller must Close it. No access control is on: a client needs no Xauthority file.
// The server listens on its Unix sockets only.
func New() (*Server, error) {
	dir, err := os.MkdirTemp("", "capsule-xvfb-")
	if err != nil {
		return nil, fmt.Errorf("start Xvfb: %w", err)
	}
	s := &Server{dir: dir, done: make(chan struct{})}
	r, w, err := os.Pipe()
	if err != nil {
		os.Remove(dir)
		return nil, fmt.Errorf("start Xvfb: %w", err)
	}
	defer r.Close()
	var log bytes.Buffer
	s.cmd = exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "800x600x24", "-fbdir", dir,
		"-nolisten", "tcp", "-ac", "-noreset", "+extension", "GLX")
	s.cmd.ExtraFiles = []*os.File{w}
	s.cmd.Stderr = &log
	// A process group of its own keeps a terminal's interrupt away from it: Close ends it.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		w.Close()
		os.Remove(dir)
		return nil, fmt.Errorf("start Xvfb: %w", err)
	}
	w.Close()
	go func() {
		s.cmd.Wait()
		close(s.done)
	}()
	if err := r.SetReadDeadline(time.Now().Add(startLimit)); err != nil {
		s.Close()
		return nil, fmt.Errorf("start Xvfb: %w", err)
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	number, convErr := strconv.Atoi(strings.TrimSpace(line))
	if err := errors.Join(err, convErr); err != nil {
		s.Close()
		return nil, fmt.Errorf("start Xvfb: it named no display: %w\n%s", err, strings.TrimSpace(log.String()))
	}
	s.Display = ":" + strconv.Itoa(number)
	return s, nil
}

// Env returns the environment variables a client of this display needs, and those which it must not
// inherit set to nothing.
func (s *Server) Env() []string {
	return []string{"DISPLAY=" + s.Display, "XAUTHORITY=", "WAYLAND_DISPLAY="}
}

// Close ends the server. It may be called twice.
func (s *Server) Close() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(5 * time.Second):
		s.cmd.Process.Kill()
		<-s.done
	}
	os.RemoveAll(s.dir)
}

// Screenshot returns what the screen shows now.
func (s *Server) Screenshot() (image.Image, error) {
	// The name is fixed: Xvfb's screen 0 (hw/vfb/InitOutput.c). The file is the server's live memory.
	data, err := os.ReadFile(filepath.Join(s.dir, "Xvfb_screen0"))
	if err != nil {
		return nil, fmt.Errorf("read the screen: %w", err)
	}
	return decodeXWD(data)
}
