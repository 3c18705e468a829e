// Package page makes one HTML page of a doctor's report: the verdict, the pictures of both sides, the plan as a graph. It
// exists so that a person sees at a glance what is the matter, and can attach all of it to a bug report as one file.
//
// The page asks nothing of anybody: no request leaves it, which its Content-Security-Policy makes sure of, and without
// JavaScript it only loses what is convenient. What the report says is text, wherever it came from: names of libraries and
// messages of drivers never become markup, and characters that would rearrange the text around them are spelled out.
// The package looks at nothing but the report, and decides nothing: the same report makes the same bytes.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"sync"

	"github.com/capsule-run/capsule-run/internal/doctor/report"
)

var (
	//go:embed *.html
	files embed.FS
	//go:embed page.css
	style string
	//go:embed page.js
	script string
)

// templates are read when a page is made: every launch initializes this package, twice.
var templates = sync.OnceValue(func() *template.Template { return template.Must(template.New("").ParseFS(files, "*.html")) })

// Write makes the page of a report, which it leaves as it is. An error is the writer's.
func Write(w io.Writer, r *report.Report) error {
	var page bytes.Buffer
	if err := templates().ExecuteTemplate(&page, "page.html", newView(r)); err != nil {
		return fmt.Errorf("page of the report: %w", err)
	}
	_, err := w.Write(spellOut(page.Bytes()))
	return err
}

// frame is what is the same in every page. Style and script are constants, and the policy names their hashes: nothing else
// on the page is ever run, whatever a driver calls itself.
type frame struct {
	Policy        string
	Style, Script template.HTML
}

func newFrame() frame {
	return frame{
		// A policy in a meta element must come before what it is about (CSP level 3, 3.3).
		Policy: fmt.Sprintf("default-src 'none'; img-src data:; style-src %s; script-src %s; base-uri 'none'; form-action 'none'",
			hash(style), hash(script)),
		Style:  template.HTML("<style>" + style + "</style>"),
		Script: template.HTML("<script>" + script + "</script>"),
	}
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
