package relr

import (
	"bytes"
	"debug/elf"
	"fmt"
)

// ClearPLT returns a copy of an x86-64 object in which the relocations of the PLT have no addends. The link editor's -z
// mark-plt writes there where the PLT entry is; glibc before 2.36 adds that to the function's address when it binds
// at once (sysdeps/x86_64/dl-machine.h, elf_machine_rela). Its errors are ErrUnsupported and ErrCorrupt, wrapped.
func ClearPLT(object []byte) ([]byte, error) {
	m, err := read(bytes.Clone(object))
	if err != nil {
		return nil, err
	}
	if elf.Machine(le.Uint16(m.b[18:])) != elf.EM_X86_64 {
		return nil, fmt.Errorf("%w: only x86-64 has marked PLTs", ErrUnsupported)
	}
	addr, ok := m.value(elf.DT_JMPREL)
	if !ok {
		return m.b, nil
	}
	size, _ := m.value(elf.DT_PLTRELSZ)
	table, err := m.mapped(addr, size)
	if err != nil {
		return nil, fmt.Errorf("DT_JMPREL: %w", err)
	}
	for entry := m.entry(); uint64(len(table)) >= entry; table = table[entry:] {
		if elf.R_TYPE64(le.Uint64(table[8:])) == uint32(elf.R_X86_64_JMP_SLOT) {
			clear(table[16:entry])
		}
	}
	return m.b, nil
}
