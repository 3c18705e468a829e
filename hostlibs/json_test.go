package hostlibs

import "testing"

// What the loaders' parser takes is taken, and what is handed on is what it read.
func TestManifestText(t *testing.T) {
	value := icd("libvulkan_lvp.so")
	for _, text := range []string{value, "\xef\xbb\xbf" + value, "\n\t" + value + "\r\n", value + "\x00", value + "} // end"} {
		s := discover(t, edited(map[string]string{"usr/share/vulkan/icd.d/lvp.json": text}), Options{})
		for _, m := range s.Manifests {
			if m.Path == "/usr/share/vulkan/icd.d/lvp.json" && (m.Library == nil || string(m.Text) != value) {
				t.Errorf("%q: %v, %q, skipped: %s", text, m.Library, m.Text, m.Skipped)
			}
		}
	}
	if got := settingsManifests([]byte("\xef\xbb\xbf" + `{"settings": {"layers": [{"path": "/x.json"}]}} `)); len(got) != 1 {
		t.Errorf("settings %q", got)
	}
}
