package mptcpz

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A browser is a headless Chromium with one page open.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	console  []string // warnings, errors, exceptions and violations of the policy
	requests []string
}

// open starts a Chromium of its own, in the laboratory, with a home of its own:
// the user who runs the tests may have none that can be written to.
func open(t *testing.T) *browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		const missing = "there is no chromium or google-chrome in PATH: apt-get install -y chromium"
		if v := os.Getenv("MPTCPTEST_REQUIRE"); v != "" && v != "0" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	home := homeOf(t)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Flag("no-sandbox", true), // which cannot be had within a user namespace
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-crash-reporter", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Env("HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "TMPDIR="+home),
	)...)
	t.Cleanup(stop)
	b := &browser{t: t}
	ctx, end := chromedp.NewContext(allocator, chromedp.WithListener(b.listen))
	t.Cleanup(end)
	b.ctx = ctx
	eval[bool](b, "true") // starts it
	return b
}

// homeOf returns a directory that is removed when the test ends. Processes of
// the browser write to it until they are dead, so one attempt may not do.
func homeOf(t *testing.T) string {
	dir, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if err := os.RemoveAll(dir); err == nil {
				return
			} else if time.Now().After(deadline) {
				t.Error(err)
				return
			}
		}
	})
	return dir
}

func (b *browser) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *cdpruntime.EventConsoleAPICalled:
		var args []string
		for _, a := range ev.Args {
			args = append(args, string(a.Value)+a.Description)
		}
		b.console = append(b.console, string(ev.Type)+": "+strings.Join(args, " "))
	case *cdpruntime.EventExceptionThrown:
		text := ev.ExceptionDetails.Text
		if x := ev.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
		b.console = append(b.console, "exception: "+text)
	case *cdplog.EventEntryAdded:
		b.console = append(b.console, string(ev.Entry.Level)+": "+ev.Entry.Text+" "+ev.Entry.URL)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, ev.Request.URL)
	}
}

// clean fails the test if the page has complained, or has asked for anything
// that is not at origin.
func (b *browser) clean(origin string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.console {
		b.t.Errorf("console: %s", m)
	}
	asked := 0
	for _, url := range b.requests {
		switch {
		case strings.HasPrefix(url, origin+"/"):
			asked++
		case strings.HasPrefix(url, "data:"), url == "about:blank":
		default:
			b.t.Errorf("the page asked for %s", url)
		}
	}
	if asked == 0 {
		b.t.Errorf("no request was seen, of %q", b.requests)
	}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// eval returns the value of an expression of JavaScript in the page.
func eval[T any](b *browser, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// wait waits until an expression is true.
func (b *browser) wait(what, js string) {
	b.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !eval[bool](b, "!!("+js+")"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.mu.Lock()
			console := b.console
			b.mu.Unlock()
			b.shoot("failed")
			b.t.Fatalf("never: %s\n%s\n%s\nconsole: %q", what, js, eval[string](b, "document.body.innerText"), console)
		}
	}
}

// settle waits until the page has shown another sample.
func (b *browser) settle() {
	b.t.Helper()
	seq := eval[string](b, "document.body.dataset.ready ?? ''")
	b.wait("another sample", fmt.Sprintf("document.body.dataset.ready !== %q", seq))
}

// resize gives the page a width in CSS pixels.
func (b *browser) resize(width, height int64) {
	b.do(chromedp.EmulateViewport(width, height, chromedp.EmulateScale(1)))
}

// prefer sets what the user prefers: "light" or "dark".
func (b *browser) prefer(scheme string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	}))
}

// shoot writes a picture of the whole page to the directory that MPTCPZ_SCREENSHOTS
// names, or else to the test's artifacts.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("MPTCPZ_SCREENSHOTS")
	if dir == "" {
		dir = b.t.ArtifactDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	width, height := eval[int64](b, "innerWidth"), eval[int64](b, "innerHeight")
	b.resize(width, max(height, min(eval[int64](b, "document.documentElement.scrollHeight"), 6000)))
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	b.resize(width, height)
	if len(png) < 5000 {
		b.t.Errorf("%s: a picture of %d bytes", name, len(png))
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// tree returns what a screen reader is told of: "role: name", in order.
func (b *browser) tree() []string {
	b.t.Helper()
	nodes, err := chromedp.Run(b.ctx, func(ctx context.Context, t *chromedp.Target) ([]*accessibility.Node, error) {
		r, err := cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		return r.Nodes, err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	var list []string
	for _, n := range nodes {
		if !n.Ignored && n.Role != nil {
			name := ""
			if n.Name != nil {
				name = strings.Trim(string(n.Name.Value), `"`)
			}
			list = append(list, strings.Trim(string(n.Role.Value), `"`)+": "+name)
		}
	}
	return list
}

// tooFaint lists the texts of the page that do not stand out from what is
// behind them as WCAG 2.2 wants it (1.4.3, AA), and the controls whose border
// does not (1.4.11).
const tooFaint = `(() => {
	const parse = (c) => c.match(/[\d.]+/g).map(Number);
	const over = ([r, g, b, a = 1], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
	const behind = (e) => {
		const stack = [];
		for (; e; e = e.parentElement) {
			const c = parse(getComputedStyle(e).backgroundColor);
			if (c.length < 4 || c[3] > 0) stack.push(c);
			if (c.length < 4 || c[3] === 1) break;
		}
		return stack.reverse().reduce((under, c) => over(c, under), [255, 255, 255]);
	};
	const lum = (c) => {
		const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ratio = (a, b) => { const [x, y] = [lum(a), lum(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
	const found = [];
	let looked = 0;
	for (const e of document.body.querySelectorAll("*")) {
		if (!e.checkVisibility()) continue;
		const style = getComputedStyle(e), bg = behind(e);
		if ([...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) {
			looked++;
			const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
			const r = ratio(over(parse(style.color), bg), bg);
			if (r < (large ? 3 : 4.5)) found.push(e.className + " " + JSON.stringify(e.textContent.slice(0, 30)) + " " + r.toFixed(2));
		}
		if (["BUTTON", "INPUT", "SELECT"].includes(e.tagName) && !e.classList.contains("tile") && e.getAttribute("aria-disabled") !== "true") {
			const r = ratio(over(parse(style.borderTopColor), behind(e.parentElement)), behind(e.parentElement));
			if (r < 3) found.push("border of " + (e.id || e.className) + " " + r.toFixed(2));
		}
	}
	if (looked < 30) found.push("only " + looked + " texts were looked at");
	return found;
})()`

// sticksOut lists what is wider than the part of the page that it is in.
const sticksOut = `[...document.querySelectorAll("section *")].filter((e) => e.checkVisibility() && !e.closest("thead")).filter((e) => {
	const r = e.getBoundingClientRect();
	return r.width > 0 && r.right > e.closest("section").getBoundingClientRect().right;
}).map((e) => e.tagName + "." + e.className + " " + e.textContent.slice(0, 30))`
