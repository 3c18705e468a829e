package scene

import "testing"

func TestCheck(t *testing.T) {
	p := *Reference()
	if err := Check(&p); err != nil {
		t.Fatal(err)
	}
	colours := map[[3]byte]bool{}
	for k := 0; k < len(p); k += 4 {
		colours[[3]byte(p[k:])] = true
	}
	if len(colours) < 10000 {
		t.Errorf("the reference has %d colours", len(colours))
	}
	for k := range p {
		p[k] ^= 1 // rounding never is everywhere
	}
	if Check(&p) == nil {
		t.Error("a picture of which all is off by one passes")
	}
	p = *Reference()
	copy(p[4*Side*100:], p[4*Side*99:4*Side*100])
	if Check(&p) == nil {
		t.Error("a picture with a row of its neighbour's passes")
	}
	for _, pam := range []string{"", "P7\n", header, header + "short"} {
		if _, err := Read([]byte(pam)); err == nil {
			t.Errorf("%q is read", pam)
		}
	}
	if _, err := Read(append([]byte(header), p[:]...)); err != nil {
		t.Error(err)
	}
}
