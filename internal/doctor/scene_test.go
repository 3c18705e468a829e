package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func pam(w, h int, pixels []byte) []byte {
	return append([]byte(fmt.Sprintf("P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n", w, h)), pixels...)
}

func TestParseTold(t *testing.T) {
	got, err := parseTold([]byte("libEGL debug: {\nnoise\n{\"api\":\"EGL\",\"platform\":\"x11\",\"device\":\"a\\nb\\u001b\",\"start_ms\":-1,\"png\":\"AAAA\",\"ok\":1}\nmore"))
	if err != nil || got.API != "EGL" || got.Platform != "x11" || got.Device != "a b?" || got.Start != 0 || got.PNG != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"", "{", "x", `{"api":1}`, `[{"api":"GL"}]`, `{"start_ms":1e999}`, "{\n\"api\":\"GL\"}",
		strings.Repeat("{\"api\":\n", maxOutput/8)} { // reading on from each line would take hours
		if got, err := parseTold([]byte(text)); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func FuzzTold(f *testing.F) {
	f.Add([]byte(`{"api":"GL","error":"x","facts":["a","b"],"libraries":["/x"],"start_ms":1.5}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseTold(b)
		if (err == nil) != (got != nil) {
			t.Fatal("neither or both")
		}
		if got == nil {
			return
		}
		out, err := json.Marshal(got)
		if err != nil || len(out) > 2*6*maxWord*(maxDevices+maxFacts+maxLibraries+16) {
			t.Errorf("%d bytes, %v", len(out), err)
		}
		for _, s := range append(got.Facts, got.Device, got.Error, got.API) {
			if strings.ContainsAny(s, "\n\x1b\x00") {
				t.Errorf("%q", s)
			}
		}
	})
}

func FuzzPicture(f *testing.F) {
	f.Add(pam(2, 1, make([]byte, 8)))
	f.Add([]byte("P7\nENDHDR\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := parsePicture(b)
		if (err == nil) != (img != nil) {
			t.Fatal("neither or both")
		}
		if img == nil {
			return
		}
		if len(img.Pix) != 4*img.Rect.Dx()*img.Rect.Dy() || img.Rect.Dx() > maxSide || img.Rect.Dy() > maxSide {
			t.Fatalf("%v with %d bytes", img.Rect, len(img.Pix))
		}
		p, err := encode(img)
		if err != nil {
			t.Fatal(err)
		}
		if again := decode(p); again == nil || !bytes.Equal(again.Pix, img.Pix) {
			t.Error("the picture changes on its way")
		}
	})
}

func TestBadPictures(t *testing.T) {
	good := pam(2, 2, make([]byte, 16))
	if _, err := parsePicture(good); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{good[:len(good)-1], append(bytes.Clone(good), 0), pam(0, 2, nil), pam(-2, -2, make([]byte, 16)),
		pam(1<<30, 1<<30, nil), pam(2000, 1, make([]byte, 8000)), bytes.Replace(good, []byte("DEPTH 4"), []byte("DEPTH 3"), 1),
		bytes.Replace(good, []byte("ENDHDR"), []byte("ENDHD"), 1), good[1:]} {
		if img, err := parsePicture(bad); err == nil {
			t.Errorf("%.60q: %v", bad, img.Rect)
		}
	}
}

func TestParseScenes(t *testing.T) {
	got := parseScenes([]byte("glx\tGL\tx11\nbad/name GL x\n\nvulkan\n" + strings.Repeat("a\n", 100)))
	if len(got) != maxScenes || got[0] != (scene{"glx", "GL", "x11"}) || got[1].name != "vulkan" {
		t.Errorf("%v", got[:2])
	}
}
