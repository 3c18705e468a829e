package main

import (
	"bufio"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A drawing is a program that reports a rate.
type drawing struct {
	release string
	rounds  int
	name    string
	sampler func(side) sampler
}

// measureFrames counts frames per second. The programs draw with the processor (llvmpipe) where there is no GPU: it
// and the X server then share the machine with whatever else runs, and single rounds differ by some per cent. So rounds
// are short and many, except for glxgears, which reports every five seconds only.
func measureFrames(ctx context.Context, b *bench) ([]figure, error) {
	drawings := []drawing{{"13", 40, "frames", frames}, {"13", 5, "glxgears", glxgears}}
	for _, name := range scenes {
		drawings = append(drawings, drawing{"12", 24, name, func(s side) sampler { return glmark2(s, name) }})
	}
	var figures []figure
	for _, d := range drawings {
		native, capsule, err := b.both(ctx, d.release)
		if err != nil {
			return figures, err
		}
		got, err := alternate(ctx, b.count(d.rounds), d.sampler(native), d.sampler(capsule))
		if err != nil {
			return figures, err
		}
		figures = append(figures, figure{Name: d.name + ", Debian " + d.release, Unit: "fps", Against: "native", Compare: ratio,
			Reference: column(got[0], "fps"), Capsule: column(got[1], "fps"), target: timesAtLeast(0.99)})
		if _, ok := got[0][0]["processor"]; ok {
			figures = append(figures, figure{Name: "  processor time of a frame", Unit: "µs", Against: "native", Compare: ratio,
				Reference: column(got[0], "processor"), Capsule: column(got[1], "processor")})
		}
	}
	return figures, nil
}

// frames times the probe of that name twice, with many frames and with none: the difference is drawing alone. Besides
// the rate it takes the processor time a frame, which other work on the machine disturbs less.
func frames(s side) sampler {
	const n = 2500 // less than half a second on llvmpipe
	once := func(ctx context.Context, n int) (wall, processor float64, err error) {
		begin := time.Now()
		_, used, err := finish(ctx, s, "probes:frames", strconv.Itoa(n))
		return time.Since(begin).Seconds(), used.Seconds(), err
	}
	return func(ctx context.Context) (sample, error) {
		wall, used, err := once(ctx, 0)
		if err != nil {
			return nil, err
		}
		allWall, allUsed, err := once(ctx, n)
		if err != nil {
			return nil, err
		}
		return sample{"fps": n / (allWall - wall), "processor": (allUsed - used) / n * 1e6}, nil
	}
}

var gearsLine = regexp.MustCompile(`^(\d+) frames in ([0-9.]+) seconds`)

// glxgears reports after five seconds and never ends by itself.
func glxgears(s side) sampler {
	return func(ctx context.Context) (sample, error) {
		ctx, cancel := context.WithTimeout(ctx, commandLimit)
		defer cancel()
		cmd := s(ctx, "glxgears")
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		// The process group is ours, so nothing else is ended.
		defer func() {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
			cmd.Wait()
		}()
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := gearsLine.FindStringSubmatch(lines.Text()); m != nil {
				n, err1 := strconv.ParseFloat(m[1], 64)
				seconds, err2 := strconv.ParseFloat(m[2], 64)
				if err1 == nil && err2 == nil && seconds > 0 {
					return sample{"fps": n / seconds}, nil
				}
			}
		}
		return nil, fmt.Errorf("%s ended and reported no frames", cmd)
	}
}

// scenes of glmark2: few large calls, textures, many small calls, shaders.
var scenes = []string{"glmark2 build", "glmark2 texture", "glmark2 ideas", "glmark2 shading"}

var sceneLine = regexp.MustCompile(`(?m)^\[\w+\].* FPS: (\d+)`)

// glmark2 runs one scene for half a second. One run of all scenes would put more time between the two sides of a round.
func glmark2(s side, name string) sampler {
	scene := strings.TrimPrefix(name, "glmark2 ") + ":duration=0.5"
	return func(ctx context.Context) (sample, error) {
		out, err := output(ctx, s, "glmark2", "--size", "200x200", "-b", scene)
		if err != nil {
			return nil, err
		}
		m := sceneLine.FindStringSubmatch(out)
		if m == nil {
			return nil, fmt.Errorf("glmark2 reported no rate:\n%s", out)
		}
		fps, err := strconv.ParseFloat(m[1], 64)
		return sample{"fps": fps}, err
	}
}
