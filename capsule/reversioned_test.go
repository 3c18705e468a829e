package capsule_test

import (
	"testing"

	"github.com/capsule-run/capsule-run/capsule/dso"
)

// A function with a new version is the runtime's older one, unless its ABI changed: then a polyfill goes before it, and
// without a polyfill the slot. The version in which the ABI changed is the only one that this is for.
func TestNewVersionWithAnotherABI(t *testing.T) {
	in := input()
	libc := in.Host.Libraries[0]
	libc.Exports = append(libc.Exports, syms("pow@@GLIBC_2.29", "totalorder@@GLIBC_2.31", "totalorder@GLIBC_2.25",
		"fromfp@@GLIBC_2.43", "cfgetospeed@@GLIBC_2.42")...)
	rt := in.Runtime.Libraries["libc.so.6"]
	rt.Exports = append(rt.Exports, syms("pow@@GLIBC_2.2.5", "totalorder@@GLIBC_2.25", "fromfp@@GLIBC_2.25",
		"cfgetospeed@@GLIBC_2.2.5")...)
	in.Root = append(in.Root, syms("polyfill$pow", "polyfill$totalorder", "polyfill$cfgetospeed")...)
	symbols := proxy(t, mustMake(t, in), "libc.so.6")
	for name, want := range map[string]dso.Origin{
		"pow@GLIBC_2.29": dso.FromBase, "totalorder@GLIBC_2.25": dso.FromBase, "totalorder@GLIBC_2.31": dso.FromRoot,
		"fromfp@GLIBC_2.43": dso.Nowhere, "cfgetospeed@GLIBC_2.2.5": dso.FromBase, "cfgetospeed@GLIBC_2.42": dso.FromRoot,
	} {
		if got := symbols[name].Origin; got != want {
			t.Errorf("%s: origin %v, want %v", name, got, want)
		}
	}
}

// Where the runtime is new enough, its function is the answer.
func TestChangedABIThatTheRuntimeHas(t *testing.T) {
	in := input()
	rt := in.Runtime.Libraries["libc.so.6"]
	rt.Exports = append(rt.Exports, syms("totalorder@GLIBC_2.25", "totalorder@@GLIBC_2.31")...)
	in.Root = append(in.Root, syms("polyfill$totalorder")...)
	symbols := proxy(t, mustMake(t, in), "libc.so.6")
	if s := symbols["totalorder@GLIBC_2.31"]; s.Origin != dso.FromBase || !s.Default {
		t.Errorf("%+v", s)
	}
}
