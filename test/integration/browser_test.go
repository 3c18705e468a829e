//go:build integration

package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a page in Debian's Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	said     []string // by the console, violations of the page's policy included
	requests []string
}

// browse starts a browser with an empty profile and no network of its own doing.
func browse(t *testing.T) *tab {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CAPSULE_MUST_WORK") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	profile, err := os.MkdirTemp("", "capsule-browser-") // not t.TempDir: its removal comes before the last process has ended
	must(t, err)
	evict(t, profile)
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(program), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.UserDataDir(profile), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Env("TMPDIR=" + profile), // it leaves its lock there when it is killed
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			whole(cmd)
			cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
		})}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync",
		"disable-dev-shm-usage", "disable-extensions"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel) // ends the browser, and waits for it
	b := &tab{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.event)
	if err := chromedp.Run(ctx); err != nil { // starts it
		t.Fatal(err)
	}
	b.run(network.Enable(), log.Enable(), emulation.SetFocusEmulationEnabled(true))
	return b
}

func (b *tab) event(e any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := e.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "data:") {
			b.requests = append(b.requests, e.Request.URL)
		}
	case *log.EventEntryAdded:
		b.said = append(b.said, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		b.said = append(b.said, fmt.Sprintf("console.%s", e.Type))
	}
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// open loads a file, in a window of so many CSS pixels and a colour scheme.
func (b *tab) open(file string, width int64, scheme string) {
	b.t.Helper()
	b.window(width, scheme)
	b.run(chromedp.Navigate("file://" + file))
}

func (b *tab) window(width int64, scheme string) {
	b.t.Helper()
	b.run(emulation.SetDeviceMetricsOverride(width, 900, 1, false), emulation.SetEmulatedMedia().WithFeatures(
		[]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}))
}

// value is what an expression of JavaScript comes to.
func value[T any](b *tab, expression string, arguments ...any) T {
	b.t.Helper()
	for i, a := range arguments {
		text, err := json.Marshal(a)
		if err != nil {
			b.t.Fatal(err)
		}
		arguments[i] = string(text)
	}
	if len(arguments) > 0 {
		expression = fmt.Sprintf(expression, arguments...)
	}
	var out T
	if err := chromedp.Run(b.ctx, chromedp.Evaluate(expression, &out, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	})); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return out
}

// mouse moves to the middle of an element, which is scrolled to.
func (b *tab) mouse(selector string) {
	b.t.Helper()
	at := value[[2]float64](b, `(() => { const e = document.querySelector(%s); e.scrollIntoView({block: "center", inline: "center"});
		const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`, selector)
	b.run(input.DispatchMouseEvent(input.MouseMoved, at[0], at[1]))
}

// quiet demands that the browser had nothing to complain of, and that nothing but files of that name was asked for.
func (b *tab) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.said) > 0 {
		b.t.Errorf("the browser complains: %q", b.said)
	}
	if len(b.requests) == 0 {
		b.t.Error("no request was seen, not even that for the page")
	}
	for _, request := range b.requests {
		if !strings.HasPrefix(request, "file://") || !strings.HasSuffix(request, "page.html") {
			b.t.Errorf("the page asks for %s", request)
		}
	}
}
