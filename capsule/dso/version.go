package dso

import (
	"encoding/binary"
	"fmt"
)

const (
	verFlagBase   = 1      // VER_FLG_BASE
	versymHidden  = 0x8000 // name@version, not name@@version
	versymGlobal  = 1      // the base definition
	firstVersion  = 2
	verdefSize    = 20 // Elf{32,64}_Verdef
	verdauxSize   = 8  // Elf{32,64}_Verdaux
	maxVersions   = 0x7ff0
	verdefCurrent = 1 // VER_DEF_CURRENT
)

type versionTables struct {
	versym, verdef []byte
}

// encodeVersions builds .gnu.version for the symbols (which stand at index first and above) and .gnu.version_d.
// Both are empty for an object without versions.
func (o *object) encodeVersions(symbols []symbol, first int, names *stringTable) (versionTables, error) {
	var t versionTables
	if len(o.versions) == 0 {
		return t, nil
	}
	if len(o.versions) > maxVersions {
		return t, fmt.Errorf("%s: %d versions: %w", o.soname, len(o.versions), ErrTooLarge)
	}
	index := map[string]uint16{"": versymGlobal}
	for i, v := range o.versions {
		index[v.Name] = uint16(firstVersion + i)
	}
	le := binary.LittleEndian
	t.versym = le.AppendUint16(t.versym, 0)
	for i := 1; i < first; i++ {
		t.versym = le.AppendUint16(t.versym, versymGlobal) // imports: any version will do
	}
	for i := range symbols {
		v, ok := index[symbols[i].version]
		if !ok {
			return t, fmt.Errorf("%s: %s has the undefined version %s", o.soname, symbols[i].name, symbols[i].version)
		}
		if !symbols[i].isDefault {
			v |= versymHidden
		}
		t.versym = le.AppendUint16(t.versym, v)
	}
	all := append([]Version{{Name: o.soname}}, o.versions...)
	for i, v := range all {
		flags := uint16(0)
		if i == 0 {
			flags = verFlagBase
		}
		next := uint32(verdefSize + verdauxSize*(1+len(v.Parents)))
		if i == len(all)-1 {
			next = 0
		}
		t.verdef = le.AppendUint16(t.verdef, verdefCurrent)
		t.verdef = le.AppendUint16(t.verdef, flags)
		t.verdef = le.AppendUint16(t.verdef, uint16(i+1))
		t.verdef = le.AppendUint16(t.verdef, uint16(1+len(v.Parents)))
		t.verdef = le.AppendUint32(t.verdef, sysvHash(v.Name))
		t.verdef = le.AppendUint32(t.verdef, verdefSize)
		t.verdef = le.AppendUint32(t.verdef, next)
		for j, name := range append([]string{v.Name}, v.Parents...) {
			nextAux := uint32(verdauxSize)
			if j == len(v.Parents) {
				nextAux = 0
			}
			t.verdef = le.AppendUint32(t.verdef, names.add(name))
			t.verdef = le.AppendUint32(t.verdef, nextAux)
		}
	}
	return t, nil
}
