package ask

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/capsule-run/capsule-run/internal/config"
)

func TestDecide(t *testing.T) {
	no := false
	asks := func(text string) map[string]string { return map[string]string{Annotation: text} }
	nvidia := config.Hook{Environment: []string{"NVIDIA_VISIBLE_DEVICES"}}
	for _, c := range []struct {
		name  string
		in    Input
		env   string // NAME=VALUE
		gpus  string // with commas; empty: left alone
		fails string
	}{
		{name: "nothing"},
		{name: "the entry says so", in: Input{Entry: "all"}, gpus: "all"},
		{name: "the container declines", in: Input{Entry: "all", Annotations: asks("none")}},
		{name: "the entry wins", in: Input{Entry: "card0", Annotations: asks("card1")}, gpus: "card0"},
		{name: "annotation", in: Input{Annotations: asks("card0, renderD128,card0")}, gpus: "card0,renderD128"},
		{name: "all and more", in: Input{Annotations: asks("card0,all")}, gpus: "all"},
		{name: "annotations are not honoured", in: Input{Annotations: asks("all"), Policy: config.Hook{Annotation: &no}}},
		{name: "variable, not allowed", env: "NVIDIA_VISIBLE_DEVICES=all"},
		{name: "variable", in: Input{Policy: nvidia}, env: "NVIDIA_VISIBLE_DEVICES=all", gpus: "all"},
		{name: "NVIDIA's numbers", in: Input{Policy: nvidia}, env: "NVIDIA_VISIBLE_DEVICES=0,GPU-1", gpus: "nvidia:0,GPU-1"},
		{name: "variable that declines", in: Input{Policy: nvidia}, env: "NVIDIA_VISIBLE_DEVICES=void"},
		{name: "another variable", in: Input{Policy: nvidia}, env: "NVIDIA_VISIBLE=all"},
		{name: "default", in: Input{Policy: config.Hook{Default: "all"}}, gpus: "all"},
		{name: "declining beats the default", in: Input{Annotations: asks("none"), Policy: config.Hook{Default: "all"}}},
		{name: "allowed", in: Input{Annotations: asks("card0"), Policy: config.Hook{Allow: []string{"card0"}}}, gpus: "card0"},
		{name: "not allowed", in: Input{Annotations: asks("card1"), Policy: config.Hook{Allow: []string{"card0"}}}, fails: "not allowed"},
		{name: "all is more than allowed", in: Input{Annotations: asks("all"), Policy: config.Hook{Allow: []string{"card0"}}}, fails: "not allowed"},
		{name: "empty", in: Input{Annotations: asks("")}, fails: "no list"},
		{name: "a path", in: Input{Annotations: asks("../../etc/shadow")}, fails: "no list"},
		{name: "none among names", in: Input{Annotations: asks("card0,none")}, fails: "no list"},
		{name: "too many", in: Input{Annotations: asks(many())}, fails: "no list"},
	} {
		c.in.File = "/etc/capsule/config.toml"
		c.in.Getenv = func(name string) (string, bool) { return strings.CutPrefix(c.env, name+"=") }
		a, err := Decide(c.in)
		switch {
		case c.fails != "":
			if err == nil || !strings.Contains(err.Error(), c.fails) || len(a.GPUs) > 0 {
				t.Errorf("%s: %v, %v", c.name, a, err)
			}
		case err != nil || strings.Join(a.GPUs, ",") != c.gpus || a.Why == "":
			t.Errorf("%s: %+v, %v", c.name, a, err)
		}
	}
}

// many distinct names, more than a machine has GPUs.
func many() string {
	var names []string
	for i := range maxNames + 1 {
		names = append(names, fmt.Sprint("card", i))
	}
	return strings.Join(names, ",")
}

// Whatever a container asks, it gets names that the configuration allows, or nothing.
func FuzzDecide(f *testing.F) {
	f.Add("all", "card0")
	f.Add("card0,renderD128", "void")
	f.Fuzz(func(t *testing.T, annotation, variable string) {
		policy := config.Hook{Allow: []string{"card0", "card1"}, Environment: []string{"GPU"}}
		for _, annotations := range []map[string]string{nil, {Annotation: annotation}} {
			a, err := Decide(Input{Annotations: annotations, Policy: policy, File: "f",
				Getenv: func(string) (string, bool) { return variable, true }})
			if err != nil && len(a.GPUs) > 0 {
				t.Errorf("both: %v, %v", a, err)
			}
			for _, g := range a.GPUs {
				if !slices.Contains(policy.Allow, g) {
					t.Errorf("%q is not allowed", g)
				}
			}
			if err != nil && !errors.Is(err, ErrRefused) && !strings.Contains(err.Error(), "no list") {
				t.Errorf("error %v", err)
			}
		}
	})
}
