package main

import "context"

// measureCalls takes the cost of a call whose work is next to nothing. A program that was bound lazily, dlsym and
// glXGetProcAddress reach the host's function itself; only what was bound eagerly jumps through the stub.
func measureCalls(ctx context.Context, b *bench) ([]figure, error) {
	native, capsule, err := b.both(ctx, "13")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, function := range []string{"glIsEnabled", "glGetError"} {
		for _, way := range []string{"direct", "dlsym", "proc"} {
			names = append(names, function+"."+way)
		}
	}
	var figures []figure
	for _, binding := range []string{"now", "lazy"} {
		program := "probes:gl_calls_" + binding
		got, err := alternate(ctx, b.count(15), printed(native, names, program), printed(capsule, names, program))
		if err != nil {
			return figures, err
		}
		for _, name := range names {
			f := figure{Name: name + ", bound " + map[string]string{"now": "eagerly", "lazy": "lazily"}[binding], Unit: "ns", Against: "native",
				Compare: difference, Reference: column(got[0], name), Capsule: column(got[1], name), target: noCost}
			if binding == "now" && (name == "glIsEnabled.direct" || name == "glGetError.direct") {
				f.target = moreAtMost(1, "ns")
			}
			figures = append(figures, f)
		}
	}
	return figures, nil
}
