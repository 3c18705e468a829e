package dso

import "github.com/capsule-run/capsule-run/internal/arch"

// An Alias is an object without symbols that needs another one: whoever needs or opens it has that. It is for a host library
// under a name that is not its DT_SONAME, as Arm's libEGL.so.1 may be a link to libmali.so.1. In the base namespace it leads
// to the stub; in the capsule, whose libraries may need it by the same name, to the host's library, which is there by then.
type Alias struct {
	Arch       *arch.Arch
	Soname, Of string
}

// Write returns the alias's bytes.
func (a *Alias) Write() ([]byte, error) {
	o := object{arch: a.Arch, soname: a.Soname, needed: []string{a.Of},
		byName: func(*symbol) bool { return false }, text: func(*layout, []symbol) []byte { return nil }}
	return o.write()
}
