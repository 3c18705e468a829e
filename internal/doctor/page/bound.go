package page

import (
	"reflect"
	"slices"
	"strings"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

// What a page shows at most of a report. A real one has some 300 KB of text without its pictures.
const (
	maxText     = 4 << 20 // bytes of all strings together
	maxString   = 4 << 10 // bytes of one
	maxElements = 4000    // of one list
	maxPNG      = 1 << 20 // bytes of one picture
	maxScenes   = 64
	maxDepth    = 32 // of structures in structures: more than a report has
)

// bounded returns a copy of a report that is never larger than a page can show, and whether anything was left out.
func bounded(r *report.Report) (*report.Report, bool) {
	b := bounder{left: maxText}
	// A report with more scenes than there are APIs and platforms is no doctor's.
	short := *r
	if len(short.Scenes) > maxScenes {
		short.Scenes, b.cut = short.Scenes[:maxScenes], true
	}
	return b.copy(reflect.ValueOf(&short), 0).Interface().(*report.Report), b.cut
}

// bounder copies the exported part of values until the room is used up; what is left out is zero.
type bounder struct {
	left int
	cut  bool
}

var bytesType = reflect.TypeFor[[]byte]()

func (b *bounder) copy(v reflect.Value, depth int) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	if depth > maxDepth {
		b.cut = true
		return out
	}
	switch {
	case v.Type() == bytesType:
		if v.Len() > maxPNG {
			b.cut = true
			return out
		}
		return v
	case v.Kind() == reflect.String:
		out.SetString(b.string(v.String()))
	case v.Kind() == reflect.Pointer && !v.IsNil():
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(b.copy(v.Elem(), depth+1))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(b.copy(v.Field(i), depth+1))
			}
		}
	case v.Kind() == reflect.Slice && !v.IsNil():
		n := min(v.Len(), maxElements)
		out.Set(reflect.MakeSlice(v.Type(), 0, n))
		for i := 0; i < n && b.left > 0; i++ {
			b.left-- // an element without text takes room too
			out.Set(reflect.Append(out, b.copy(v.Index(i), depth+1)))
		}
		b.cut = b.cut || out.Len() < v.Len()
	case v.Kind() == reflect.Map && !v.IsNil():
		out.Set(reflect.MakeMap(v.Type()))
		keys := v.MapKeys()
		slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
		for _, k := range keys[:min(len(keys), maxElements)] {
			if b.left <= 0 {
				break
			}
			out.SetMapIndex(b.copy(k, depth+1), b.copy(v.MapIndex(k), depth+1))
		}
		b.cut = b.cut || out.Len() < v.Len()
	case v.Kind() != reflect.Pointer && v.Kind() != reflect.Slice && v.Kind() != reflect.Map:
		out.Set(v)
	}
	return out
}

func (b *bounder) string(s string) string {
	if n := min(maxString, max(b.left, 0)); len(s) > n {
		s, b.cut = s[:n]+"…", true
	}
	b.left -= len(s)
	return string([]rune(s)) // bytes that are no UTF-8 become U+FFFD, as in JSON
}
