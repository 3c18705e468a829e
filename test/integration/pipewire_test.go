//go:build integration

package integration

import (
	"bytes"
	endian "encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A speaker that is as loud as it is told to be, at the rate of what is played, and that nobody hears. It takes 171 ms of sound
// at a time, so that a busy machine comes with the next in time.
const pipewireSpeaker = `context.properties = { default.clock.quantum = 8192 default.clock.min-quantum = 8192 default.clock.max-quantum = 8192 }
context.objects = [ { factory = adapter args = {
	factory.name = support.null-audio-sink node.name = speaker media.class = Audio/Sink
	audio.rate = 48000 audio.position = "FL,FR" monitor.channel-volumes = false } } ]
`

// background starts a server that ends with the test.
func background(t *testing.T, cmd *exec.Cmd) *bytes.Buffer {
	t.Helper()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.WaitDelay = patience // for what it has started and has our pipe
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return &log
}

// order of the bytes in RIFF files.
var order = endian.LittleEndian

// ramp is a second of stereo sound, 16 bits, in which no moment is like another.
func ramp() []byte {
	var out []byte
	for i := range 48000 {
		out = order.AppendUint16(out, uint16(i%30000+100))
		out = order.AppendUint16(out, uint16(-(i*7)%20000-100))
	}
	return out
}

// wav puts a header before samples of 48 kHz, stereo, 16 bits (RIFF, WAVE_FORMAT_PCM).
func wav(samples []byte) []byte {
	out := order.AppendUint32([]byte("RIFF"), uint32(36+len(samples)))
	out = order.AppendUint32(append(out, "WAVEfmt "...), 16)
	out = order.AppendUint16(order.AppendUint16(out, 1), 2)
	out = order.AppendUint32(order.AppendUint32(out, 48000), 48000*4)
	out = order.AppendUint16(order.AppendUint16(out, 4), 16)
	return append(order.AppendUint32(append(out, "data"...), uint32(len(samples))), samples...)
}

// Players of Debian 11 play through the machine's PipeWire, by its own protocol and by PulseAudio's, and what is recorded from
// its speaker natively are the same samples.
func TestPipeWire(t *testing.T) {
	needs(t, "pipewire", "wireplumber", "pipewire-pulse", "pw-record", "pactl")
	s := newSession(t)
	s.bus(t)
	write(t, s.home+"/.config/pipewire/pipewire.conf.d/speaker.conf", pipewireSpeaker)
	samples := ramp()
	must(t, os.MkdirAll(s.home+"/work", 0o755))
	must(t, os.WriteFile(s.home+"/work/in.wav", wav(samples), 0o644))
	s.give(t, s.home)
	var logs []*bytes.Buffer
	for _, server := range []string{"pipewire", "wireplumber", "pipewire-pulse"} {
		logs = append(logs, background(t, s.command(server)))
		if server == "pipewire" {
			must(t, waitFor(patience, func() error { _, err := os.Stat(s.run + "/pipewire-0"); return err }))
		}
	}
	if err := waitFor(patience, func() error {
		out, err := s.command("pactl", "info").CombinedOutput()
		if err == nil && !strings.Contains(string(out), "Default Sink: speaker") {
			err = errors.New(string(out))
		}
		return err
	}); err != nil {
		t.Fatalf("%v\n%s%s%s", err, logs[0], logs[1], logs[2])
	}
	for _, c := range []struct {
		player string
		flags  []string
	}{
		{"pw-play", nil},
		{"paplay", nil},
		{"pw-play", []string{"--home", s.home + "/private", "--unshare-net"}},
		{"paplay", []string{"--isolation=none"}},
	} {
		t.Run(strings.Join(append([]string{c.player}, c.flags...), " "), func(t *testing.T) {
			// A machine under load loses samples, natively too.
			var err error
			for range 3 {
				if err = s.playsThrough(t, samples, c.player, c.flags); err == nil {
					return
				}
			}
			t.Error(err)
		})
	}
}

// playsThrough plays in.wav in the runtime and looks for half a second of its samples in what the machine records meanwhile.
func (s *session) playsThrough(t *testing.T, samples []byte, player string, flags []string) error {
	t.Helper()
	name := s.home + "/work/out.wav"
	os.Remove(name)
	recorder := s.command("pw-record", "-P", "{ stream.capture.sink=true }", "--target=speaker", "--format=s16", "--rate=48000", "--channels=2", name)
	var log strings.Builder
	recorder.Stdout, recorder.Stderr = &log, &log
	must(t, recorder.Start())
	defer func() {
		recorder.Process.Signal(syscall.SIGINT)
		late := time.AfterFunc(patience, func() { recorder.Process.Kill() })
		recorder.Wait()
		late.Stop()
	}()
	if err := waitFor(patience, func() error {
		if info, err := os.Stat(name); err != nil || info.Size() < 10_000 {
			return fmt.Errorf("nothing is recorded: %v %s", err, log.String())
		}
		return nil
	}); err != nil {
		return err
	}
	cmd := s.inRuntime(t, flags, player, s.home+"/work/in.wav")
	cmd.Dir = s.home + "/work"
	if r := finish(t, cmd); r.status != 0 { // what it prints is of rtkit, which nobody has here
		t.Fatalf("%s: exit status %d\n%s", player, r.status, tail(r.both()))
	}
	return waitFor(patience/4, func() error {
		out, err := os.ReadFile(name)
		if err == nil && !heard(out, samples[len(samples)/4:len(samples)*3/4]) {
			err = fmt.Errorf("of what %s played the half second in the middle is not among %d bytes of sound", player, len(out))
		}
		return err
	})
}

// heard says whether samples are in a recording. PipeWire mixes floating point numbers, which its client of Debian 11 makes of
// integers in such a way that some come out higher by one.
func heard(recording, samples []byte) bool {
	near := func(a, b []byte) bool {
		d := int16(order.Uint16(a)) - int16(order.Uint16(b))
		return d >= -1 && d <= 1
	}
	for at := 44; at+len(samples) <= len(recording); at += 4 {
		i := 0
		for i < len(samples) && near(recording[at+i:], samples[i:]) {
			i += 2
		}
		if i == len(samples) {
			return true
		}
	}
	return false
}
