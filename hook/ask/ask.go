// Package ask decides whether a container gets the host's GPU stack, and for which GPUs. It exists so that this one
// decision, which the administrator's configuration makes and a container can only ask for, is a pure function with a
// reason. It reads nothing.
package ask

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/capsule-run/capsule-run/internal/config"
	"github.com/capsule-run/capsule-run/internal/fault"
)

// Annotation is what a container asks by: all, none, or names of GPUs with commas between them.
const Annotation = "dev.capsule.gpu"

// Words of a request besides names.
const (
	All  = "all"
	None = "none"
)

// maxNames and maxRequest, in bytes, bound a request; no machine has as many GPUs.
const (
	maxNames   = 64
	maxRequest = 8192
)

// ErrRefused says that the administrator's configuration does not allow what was asked for.
var ErrRefused = errors.New("not allowed")

// Input is what the decision depends on.
type Input struct {
	// Entry is the hook entry's own --gpu, empty if it has none. Whoever wrote the entry is the administrator.
	Entry string
	// Annotations and Getenv are the container's requests.
	Annotations map[string]string
	Getenv      func(string) (string, bool)
	// Policy is the administrator's configuration; File names it in messages.
	Policy config.Hook
	File   string
}

// Answer is the decision.
type Answer struct {
	// GPUs are the names asked for, []string{"all"}, or nothing: then the container is left alone.
	GPUs []string
	Why  string
}

// Decide takes the first of: an annotation that declines, the hook entry's own --gpu, the annotation, the variables that the
// configuration names, the configuration's default.
func Decide(in Input) (Answer, error) {
	if in.Annotations[Annotation] == None {
		return Answer{Why: "annotation " + Annotation}, nil
	}
	if in.Entry != "" {
		return answer(in.Entry, "the hook's entry says --gpu "+in.Entry)
	}
	if text, ok := in.Annotations[Annotation]; ok && in.Policy.HonoursAnnotation() {
		return in.request(text, "annotation "+Annotation)
	}
	for _, name := range in.Policy.Environment {
		if text, ok := in.Getenv(name); ok {
			return in.request(variable(name, text), "variable "+name)
		}
	}
	if in.Policy.Default != "" {
		return answer(in.Policy.Default, "default of "+in.File)
	}
	return Answer{Why: "nothing asks for a GPU"}, nil
}

// variable translates the values of NVIDIA_VISIBLE_DEVICES: two are no names, and a number counts NVIDIA's GPUs alone.
func variable(name, text string) string {
	if text == "" || text == "void" {
		return None
	}
	if len(text) > maxRequest || !strings.HasPrefix(name, "NVIDIA_") {
		return text
	}
	parts := strings.Split(text, ",")
	for i, p := range parts {
		if _, err := strconv.ParseUint(p, 10, 16); err == nil {
			parts[i] = "nvidia:" + p
		}
	}
	return strings.Join(parts, ",")
}

// request is a container's, which the configuration may refuse.
func (in *Input) request(text, why string) (Answer, error) {
	a, err := answer(text, why)
	if err != nil || len(in.Policy.Allow) == 0 {
		return a, err
	}
	for _, name := range a.GPUs {
		if !slices.Contains(in.Policy.Allow, name) && !slices.Contains(in.Policy.Allow, All) {
			return Answer{}, fault.WithHint(fmt.Errorf("%s asks for GPU %q: %w by %s", why, name, ErrRefused, in.File),
				fmt.Sprintf("%s allows: %s", in.File, strings.Join(in.Policy.Allow, ", ")))
		}
	}
	return a, nil
}

func answer(text, why string) (Answer, error) {
	a := Answer{Why: why}
	if text == None {
		return a, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); !valid(name) || len(a.GPUs) == maxNames {
			return Answer{}, fault.WithHint(fmt.Errorf("%s: %q is no list of GPUs", why, clip(text)),
				"it is all, none, or names with commas between them")
		}
		if !slices.Contains(a.GPUs, name) {
			a.GPUs = append(a.GPUs, name)
		}
	}
	if slices.Contains(a.GPUs, All) {
		a.GPUs = []string{All}
	}
	return a, nil
}

// valid names are those of device nodes, PCI addresses and UUIDs.
func valid(name string) bool {
	if name == "" || name == None || len(name) > 128 || name[0] == '.' || name[0] == '-' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".:_-", r)
	})
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
