package doctor

import (
	"slices"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

// tolerance is by how much a channel of a pixel may differ without anybody seeing it: a compiler may round a colour another
// way with another C library's functions.
const tolerance = 2

// judge compares a scene's two sides.
func judge(s *report.Scene) {
	native, through := s.Native, s.Capsule
	switch {
	case native.Drawn() && through.Drawn():
		s.Verdict = report.Same
		if !alike(s) {
			s.Verdict = report.Differs
		}
	case native.Drawn():
		s.Verdict = report.CapsuleFails
	case through.Drawn():
		s.Verdict = report.NativeFails
	case native != nil && native.Missing:
		s.Verdict = report.Absent
	default:
		s.Verdict = report.BothFail
	}
}

// alike says whether both sides drew the same on the same device. What only the loaders tell (versions, lists of extensions)
// may differ: a runtime's are its own.
func alike(s *report.Scene) bool {
	a, b := s.Native, s.Capsule
	if a.Device != b.Device || a.Vendor != b.Vendor || a.Driver != b.Driver || a.Software != b.Software {
		return false
	}
	if len(a.PNG) == 0 && len(b.PNG) == 0 {
		return slices.Equal(a.Facts, b.Facts) // all that there is to compare
	}
	return comparePictures(s) && s.Channel <= tolerance
}

// comparePictures counts the pixels that differ. It is false where the pictures cannot be compared.
func comparePictures(s *report.Scene) bool {
	a, b := decode(s.Native.PNG), decode(s.Capsule.PNG)
	if a == nil || b == nil || a.Rect != b.Rect {
		return false
	}
	for i := 0; i+4 <= len(a.Pix) && i+4 <= len(b.Pix); i += 4 {
		worst := 0
		for c := range 4 {
			worst = max(worst, int(a.Pix[i+c])-int(b.Pix[i+c]), int(b.Pix[i+c])-int(a.Pix[i+c]))
		}
		if worst > 0 {
			s.Pixels++
			s.Channel = max(s.Channel, worst)
		}
	}
	return true
}
