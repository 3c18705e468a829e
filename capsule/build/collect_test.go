package build

import "testing"

// Mount tables of which there are too many may have anything.
func TestMountTablesAreBounded(t *testing.T) {
	var m mounted
	if m.look(maxMounts); m.tooMany || len(m.text) == 0 {
		t.Errorf("%d tables", len(m.text))
	}
	m = mounted{read: true}
	if m.look(10); len(m.text) > 0 || !m.have("/cache/key/g-1") {
		t.Error("taken for not mounted")
	}
}
