package mptcpz

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// TestInBrowser looks at the page with a real browser while connections come,
// move, fall back and go.
func TestInBrowser(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/debug/mptcp/", Handler(nil))
	polled := Handler(nil)
	mux.HandleFunc("/polled/", func(w http.ResponseWriter, r *http.Request) { polled.ServeHTTP(stiff{w}, r) })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close) // waits for the stream, which the browser ends
	b := open(t)
	b.resize(1280, 800)
	b.prefer("light")
	b.do(chromedp.Navigate(srv.URL + "/debug/mptcp/"))
	b.wait("a state", "document.body.dataset.ready")
	b.wait("an empty state that says what to do", `document.querySelector("#empty").innerText.includes("transport.Listen")`)
	b.shoot("empty")

	// A phone with two paths, which sends as fast as it can.
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi", Delay: 5 * time.Millisecond, Jitter: 2 * time.Millisecond, Rate: 16 * mptcptest.Mbit})
	lte := lab.Link(phone, server, mptcptest.LinkConfig{Name: "lte", Delay: 25 * time.Millisecond, Rate: 8 * mptcptest.Mbit, Loss: 0.002})
	ln, err := (&transport.ListenConfig{NetListenConfig: server.ListenConfig()}).Listen(t.Context(), "tcp", ":443")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go discard(t.Context(), ln)
	dialer := transport.Dialer{NetDialer: phone.Dialer()}
	dial := func() net.Conn {
		c, err := dialer.DialContext(t.Context(), "tcp", wifi.Addr(server).String()+":443")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	stream := dial()
	go send(stream)
	b.wait("a connection with one subflow", `document.querySelector("#log").innerText.includes("opened: multipath")`)
	b.wait("what to do about that", `document.querySelector("#paths-hint").innerText.includes("ip mptcp endpoint add")`)
	phone.AddEndpoint(lte.Addr(phone), mptcptest.Subflow)

	const sending = `table tbody[data-kind="multipath"]:has(.peer):has(tr.sub [data-trace="send"])`
	b.wait("a connection with two subflows", `[...document.querySelectorAll('`+sending+`')].some((c) => c.querySelectorAll("tr.sub").length === 2)`)
	const rates = `[...document.querySelectorAll('tbody[data-kind="multipath"]')].filter((c) => c.querySelector(".peer").textContent.startsWith("to "))
		.flatMap((c) => [...c.querySelectorAll("tr.sub td:nth-child(2) .now")].map((e) => e.textContent))`
	b.wait("both subflows carry megabits", `((r) => r.length === 2 && r.every((x) => x.endsWith("Mbit/s")))(`+rates+`)`)
	before := eval[[]string](b, rates)
	b.settle()
	b.settle()
	if after := eval[[]string](b, rates); len(after) != 2 || slices.Equal(before, after) {
		t.Errorf("the subflows send %q and then %q: that does not move", before, after)
	}
	if n := eval[int](b, `[...document.querySelectorAll('tbody[data-kind="multipath"] tr.sub:nth-child(2) .line')].filter((p) => (p.getAttribute("d").match(/L/g) ?? []).length >= 2).length`); n < 3 {
		t.Errorf("%d charts have a line", n)
	}
	b.wait("the join among the events", `document.querySelector("#log").innerText.includes("was joined by a second subflow")`)

	// A middlebox begins to remove the option.
	if n := eval[string](b, `document.querySelector('.tile[data-kind="fallback"] .count').textContent`); n != "0" {
		t.Errorf("%s fallbacks before there is a fault", n)
	}
	heal := wifi.Inject(mptcptest.StripMPTCP(mptcptest.OnSYN | mptcptest.OnSYNACK))
	fallen := dial()
	heal()
	go trickle(t.Context(), fallen)
	b.wait("the fallback is counted", `document.querySelector('.tile[data-kind="fallback"] .count').textContent === "1"`)
	const sentence = "The answer came without the option: the peer does not speak Multipath TCP, or a middlebox removed the option."
	b.wait("and explained", `document.querySelector('tbody[data-kind="fallback"] .because').textContent.includes("`+sentence+`")`)
	b.wait("and so in the summary", `document.querySelector("#why-list").innerText.includes("not-answered")`)

	// The kernel of this namespace counts what goes on in it.
	pair(t, transport.Prefer)
	b.wait("a counter that moves", `[...document.querySelectorAll("#moved-body tr")].some((r) => r.innerText.includes("MPCapableSYNTX") && r.querySelector(".by").textContent.startsWith("+"))`)
	plain, _ := pair(t, transport.Off)
	defer plain.Close()

	for len(eval[string](b, `document.querySelector("#log").innerText`)) < 10 {
		b.settle()
	}
	time.Sleep(4 * time.Second) // for charts with something in them
	for _, scheme := range []string{"light", "dark"} {
		b.prefer(scheme)
		b.resize(1280, 800)
		b.shoot("desktop-" + scheme)
		if faint := eval[[]string](b, tooFaint); len(faint) > 0 {
			t.Errorf("%s: too faint: %q", scheme, faint)
		}
		b.resize(360, 740)
		b.settle()
		b.shoot("phone-" + scheme)
		if faint := eval[[]string](b, tooFaint); len(faint) > 0 {
			t.Errorf("%s, on a phone: too faint: %q", scheme, faint)
		}
		if w := eval[int](b, "document.documentElement.scrollWidth"); w > 360 {
			t.Errorf("%d pixels wide on a phone of 360", w)
		}
		if out := eval[[]string](b, sticksOut); len(out) > 0 {
			t.Errorf("sticks out on a phone: %q", out)
		}
	}
	b.resize(1280, 800)
	b.prefer("light")
	b.named()
	b.keyboard(t)

	// By a click on its tile, only what has fallen back.
	eval[bool](b, `(document.querySelector('.tile[data-kind="fallback"]').click(), true)`)
	b.wait("fallbacks alone", `document.querySelectorAll("tbody[data-kind]").length > 0 && document.querySelectorAll('tbody[data-kind]:not([data-kind="fallback"])').length === 0`)
	b.wait("the filter in words", `document.querySelector("#filtered").innerText.includes("Fallback") && location.search === "?state=fallback"`)
	b.shoot("filtered")
	eval[bool](b, `(document.querySelector("#clear").click(), true)`)
	b.wait("all again", `document.querySelectorAll('tbody[data-kind="multipath"]').length > 0 && location.search === ""`)

	// The oldest connection is the one with two subflows.
	eval[bool](b, `((s) => { s.value = "oldest"; s.dispatchEvent(new Event("change")); return true; })(document.querySelector("#sort"))`)
	b.wait("the oldest first", `location.search === "?sort=oldest" && document.querySelector('tbody[data-kind="multipath"]').querySelectorAll("tr.sub").length === 2`)

	// The path is cut, and then Multipath TCP is switched off on this host.
	wifi.Cut()
	const file = "/proc/sys/net/mptcp/enabled" // of the laboratory's own namespace
	if err := os.WriteFile(file, []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(file, []byte("1"), 0)
	b.wait("the host cannot", `document.querySelector("#host").innerText.includes("cannot use Multipath TCP")`)
	b.wait("and what to type", `document.querySelector("#host-command").textContent === "sysctl -w net.mptcp.enabled=1"`)
	b.wait("the surviving subflow goes on", `((r) => r.length > 0 && r.some((x) => x.endsWith("Mbit/s")))(`+rates+`)`)
	b.settle()
	b.shoot("host-disabled")
	if faint := eval[[]string](b, tooFaint); len(faint) > 0 {
		t.Errorf("a host without: too faint: %q", faint)
	}

	if err := os.WriteFile(file, []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	b.wait("the host can again", `document.querySelector("#host").dataset.able === "yes"`)

	b.crowded(t)

	// Paused, it stands still, and the server is left in peace.
	eval[bool](b, `(document.querySelector("#pause").click(), true)`)
	b.wait("paused", `document.querySelector("#pulse").dataset.state === "paused"`)
	for deadline := time.Now().Add(5 * time.Second); goroutines() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines serve a page that is paused", goroutines())
		}
	}
	eval[bool](b, `(document.querySelector("#pause").click(), true)`)
	b.wait("on again", `document.querySelector("#pulse").dataset.state === "live"`)
	b.clean(srv.URL)

	// What breaks off is begun again, and the page says so meanwhile.
	srv.CloseClientConnections()
	b.wait("it is told that the page is not connected", `document.querySelector("#pulse").innerText.startsWith("Not connected, state of ")`)
	b.wait("connected again", `document.querySelector("#pulse").dataset.state === "live"`)

	// Where there can be no stream, the page asks again and again.
	b.do(chromedp.Navigate(srv.URL + "/polled/"))
	b.wait("a state without a stream", "document.body.dataset.ready")
	b.settle()
	b.settle()
	b.wait("live", `document.querySelector("#pulse").dataset.state === "live"`)
}

// crowded turns pages among 10,000 connections.
func (b *browser) crowded(t *testing.T) {
	crowd(t, 5000)
	b.wait("all are counted", `Number(document.querySelector('.tile[data-kind="multipath"] .count').textContent.replace(",", "")) >= 10000`)
	b.wait("twenty are shown", `document.querySelectorAll("tbody[data-kind]").length === 20 && document.querySelector("#range").textContent.includes("page 1 of 50")`)
	b.wait("events of a crowd", `document.querySelector("#log").innerText.includes("of further connections")`)
	b.shoot("crowd")
	start := time.Now() // b.wait has a limit of its own
	eval[bool](b, `(document.querySelector("#next").click(), true)`)
	b.wait("the next page", `document.querySelector("#range").textContent.startsWith("21 to 40")`)
	t.Logf("among 10,000 connections, a page is turned in %v", time.Since(start).Round(time.Millisecond))
	if n := eval[int](b, `document.querySelectorAll("*").length`); n > 5000 {
		t.Errorf("the page has %d elements", n)
	}
	eval[bool](b, `((q) => { q.value = "10.1.0.2:443"; q.dispatchEvent(new Event("input")); return true; })(document.querySelector("#q"))`)
	b.wait("one is found among them", `document.querySelectorAll("tbody[data-kind]").length > 0 && [...document.querySelectorAll("tbody[data-kind]")].every((c) => c.innerText.includes("10.1.0.2:443"))`)
}

// named checks what a screen reader finds: landmarks, one heading of the first
// rank, and a name for everything that can be operated.
func (b *browser) named() {
	b.t.Helper()
	tree := b.tree()
	for _, want := range []string{
		"banner: ", "main: ", "contentinfo: ", "heading: Multipath TCP", "heading: This host can use Multipath TCP", "region: Connections",
		"region: Events", "region: Kernel counters", "search: Connections", "searchbox: Address", "combobox: End", "combobox: Order",
		"group: Show only connections of one kind", "button: Pause", "table: Connections", "columnheader: Round trip", "log: Events", "status: ",
		"link: Skip to the connections",
	} {
		if !slices.Contains(tree, want) {
			b.t.Errorf("no %q among %q", want, tree)
		}
	}
	for _, n := range tree {
		switch role, name, _ := strings.Cut(n, ": "); role {
		case "button", "link", "searchbox", "textbox", "combobox", "region", "navigation", "table", "group", "image", "img", "graphics-document":
			if name == "" {
				b.t.Errorf("a %s without a name", role)
			}
		}
	}
	if n := eval[int](b, `document.querySelectorAll("h1").length`); n != 1 {
		b.t.Errorf("%d headings of the first rank", n)
	}
	if small := eval[[]string](b, `[...document.querySelectorAll("button, input, select, summary")].filter((e) => e.checkVisibility()).filter((e) => {
		const r = e.getBoundingClientRect();
		return r.width < 24 || r.height < 24;
	}).map((e) => e.id || e.className)`); len(small) > 0 {
		b.t.Errorf("too small to hit: %q", small)
	}
	if n := eval[int](b, `document.querySelectorAll("[aria-live]:not([aria-live=off]), [role=status], [role=alert]").length`); n != 1 {
		b.t.Errorf("%d places speak by themselves, want one", n)
	}
}

// keyboard turns a page with nothing but keys.
func (b *browser) keyboard(t *testing.T) {
	for range 12 {
		pair(t, transport.Prefer)
	}
	b.wait("a second page", `!document.querySelector("#pager").hidden && document.querySelectorAll("tbody[data-kind]").length === 20`)
	eval[bool](b, `(document.activeElement.blur(), scrollTo(0, 0), true)`)
	b.do(chromedp.KeyEvent(kb.Tab))
	if e := eval[string](b, "document.activeElement.className"); e != "skip" {
		t.Errorf("the first thing that Tab reaches is %q", e)
	}
	var reached []string
	for range 30 {
		b.do(chromedp.KeyEvent(kb.Tab))
		id := eval[string](b, "document.activeElement.id || document.activeElement.className")
		reached = append(reached, id)
		if id == "skip" || id == "" {
			continue
		}
		if style := eval[string](b, `((s) => s.outlineStyle + " " + s.outlineWidth)(getComputedStyle(document.activeElement))`); style != "solid 3px" {
			t.Errorf("the focus on %s cannot be seen: %s", id, style)
		}
		if id == "next" {
			break
		}
	}
	for _, want := range []string{"pause", "tile", "q", "role", "sort", "previous", "next"} {
		if !slices.Contains(reached, want) {
			t.Fatalf("Tab does not reach %s: %q", want, reached)
		}
	}
	b.shoot("focus")
	first := eval[string](b, `document.querySelector("#range").textContent`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.wait("the second page", `location.search === "?page=2" && document.querySelector("#range").textContent.includes("page 2 of 2")`)
	if id := eval[string](b, "document.activeElement.id"); id != "next" {
		t.Errorf("the focus has gone to %q", id)
	}
	b.wait("what is shown is said", `document.querySelector("#say").textContent.startsWith("Connections 21 to")`)
	b.do(chromedp.KeyEvent("\t", chromedp.KeyModifiers(8))) // back to Previous
	b.do(chromedp.KeyEvent(kb.Enter))
	b.wait("the first page again", `location.search === "" && document.querySelector("#range").textContent === "`+first+`"`)
}

// discard accepts connections and reads what they send, until ctx is done: a
// peer whose paths are cut does not say that it has gone.
func discard(ctx context.Context, ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer context.AfterFunc(ctx, func() { c.Close() })()
			defer c.Close()
			_, _ = io.Copy(io.Discard, c)
		}()
	}
}

// send sends until the connection is closed.
func send(c net.Conn) {
	for b := make([]byte, 64<<10); ; {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// trickle sends a little, again and again.
func trickle(ctx context.Context, c net.Conn) {
	for b := make([]byte, 3000); ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}
