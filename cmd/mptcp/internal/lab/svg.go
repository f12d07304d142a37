package lab

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Geometry of the picture, in its own units.
const (
	picWidth, picHeight = 880.0, 560.0
	plotLeft, plotRight = 64.0, 856.0
	plotHeight          = 176.0
	tcpTop              = 92.0
	multipathTop        = 324.0
	bin                 = 250 * time.Millisecond
)

// style gives the picture its colours, in light and in dark. The card behind
// everything makes it legible where a page and the reader's system disagree
// about which of them it is.
const style = `<style>
  text { font: 13px system-ui, -apple-system, "Segoe UI", "Liberation Sans", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .card { fill: #ffffff; stroke: #d1d9e0 }
  .h1 { font-size: 19px; font-weight: 650 }
  .h2 { font-size: 15px; font-weight: 650 }
  .soft, .tick { fill: #59636e }
  .tick { font-size: 12px }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .axis { stroke: #818b98; stroke-width: 1 }
  .dead { fill: #818b98; fill-opacity: .13 }
  .edge { stroke: #d1242f; stroke-width: 1.5; stroke-dasharray: 4 3 }
  .mark { fill: #d1242f; font-weight: 600; paint-order: stroke; stroke: #f3f4f6; stroke-width: 4px }
  .first { fill: #2f6fde } .second { fill: #e08a1e }
  .on { fill: #ffffff; font-weight: 650 }
  .span { stroke: #d1242f; stroke-width: 1.5; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .card { fill: #0d1117; stroke: #3d444d }
    .soft, .tick { fill: #9198a1 }
    .grid { stroke: #2a313c }
    .axis { stroke: #656c76 }
    .dead { fill: #9198a1; fill-opacity: .16 }
    .edge, .span { stroke: #ff7b72 }
    .mark { fill: #ff7b72; stroke: #1b2027 }
    .first { fill: #3f7ee8 } .second { fill: #d9822b }
    .on { fill: #ffffff }
  }
</style>
`

// Marker is in every picture that WriteSVG has written.
const Marker = "<!-- written by mptcp lab -->"

// WriteSVG draws what was seen.
func (r *Result) WriteSVG(w io.Writer) error {
	p := &picture{r: r, end: r.Script.End}
	if n := len(r.Samples); n > 0 && r.Samples[n-1].At > p.end {
		p.end = r.Samples[n-1].At
	}
	p.top = max(p.top, r.Script.highest()*1.15) // room for the marks
	p.all()
	_, err := io.WriteString(w, p.String())
	return err
}

type picture struct {
	strings.Builder
	r   *Result
	top float64 // of the vertical axis, in Mbit/s
	end time.Duration
}

func (p *picture) f(format string, args ...any) { fmt.Fprintf(p, format, args...) }

func (p *picture) text(x, y float64, class, anchor, s string) {
	p.f(`<text x="%.0f" y="%.0f" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor, escape(s))
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func escape(s string) string { return escaper.Replace(s) }

func (p *picture) x(t time.Duration) float64 {
	return plotLeft + (plotRight-plotLeft)*min(1, t.Seconds()/p.end.Seconds())
}

func (p *picture) y(top, mbit float64) float64 {
	return top + plotHeight*(1-min(max(mbit, 0), p.top)/p.top)
}

func (p *picture) all() {
	r, s := p.r, p.r.Script
	p.f(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="t d">`+"\n", picWidth, picHeight)
	p.f("%s\n<title id=\"t\">One stream by TCP and one by Multipath TCP while a path dies</title>\n", Marker)
	p.f("<desc id=\"d\">%s</desc>\n", escape(r.alternative()))
	p.WriteString(style)
	p.f(`<rect class="card" x=".5" y=".5" width="%.0f" height="%.0f" rx="8"/>`+"\n", picWidth-1, picHeight-1)
	p.text(24, 34, "h1", "start", fmt.Sprintf("%s dies, and comes back", s.First.Name))
	p.text(24, 55, "soft", "start", fmt.Sprintf("What each path brings of a download: %s (%s), %s (%s)",
		s.First.Name, speed(s.First.Rate), s.Second.Name, speed(s.Second.Rate)))
	p.legend()

	bins := r.bins(bin)
	p.panel(tcpTop, "TCP", p.fate(r.TCP))
	p.area(tcpTop, "first", bins, nil, func(b rates) float64 { return b.tcp })
	p.over(tcpTop)
	p.gap(tcpTop, r.TCP)
	p.panel(multipathTop, "Multipath TCP", p.fate(r.MPTCP))
	second := func(b rates) float64 { return b.second }
	p.area(multipathTop, "second", bins, nil, second)
	p.area(multipathTop, "first", bins, second, func(b rates) float64 { return b.second + b.first })
	p.over(multipathTop)
	p.gap(multipathTop, r.MPTCP)
	p.marks()
	p.text((plotLeft+plotRight)/2, picHeight-14, "tick", "middle", "seconds")
	p.WriteString("</svg>\n")
}

// alternative is the picture in words.
func (r *Result) alternative() string {
	return strings.Join(strings.Fields(r.Summary()), " ")
}

func (p *picture) fate(s Stream) string {
	if s.Err != nil {
		return "ended early: " + s.Err.Error()
	}
	return fmt.Sprintf("%s in %.0f s, longest gap %s", megabytes(s.Bytes), p.end.Seconds(), seconds(s.Gap))
}

func (p *picture) legend() {
	const letter, swatch, apart = 7.6, 20, 22 // widths; that of a letter is a guess
	x := plotRight
	for _, l := range []struct{ class, name string }{{"second", p.r.Script.Second.Name}, {"first", p.r.Script.First.Name}} {
		x -= letter * float64(len(l.name)+3)
		p.text(x, 34, "", "start", "by "+l.name)
		x -= swatch
		p.f(`<rect class="%s" x="%.0f" y="23" width="13" height="13" rx="3"/>`+"\n", l.class, x)
		x -= apart
	}
}

// panel draws the title and what is behind the data: grid and labels.
func (p *picture) panel(top float64, title, fate string) {
	p.text(plotLeft, top-12, "h2", "start", title)
	p.text(plotRight, top-12, "soft", "end", fate)
	for v := 0.0; v <= p.top; v += p.step() {
		y := p.y(top, v)
		if v > 0 {
			p.f(`<line class="grid" x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f"/>`+"\n", plotLeft, plotRight, y, y)
		}
		p.text(plotLeft-10, y+4, "tick", "end", fmt.Sprintf("%.0f", v))
	}
	p.text(plotLeft-46, top-12, "tick", "start", "Mbit/s")
	for t := time.Duration(0); t <= p.end; t += 2 * time.Second {
		p.text(p.x(t), top+plotHeight+18, "tick", "middle", fmt.Sprintf("%.0f", t.Seconds()))
	}
	if p.r.CutAt > 0 {
		x, to := p.x(p.r.CutAt), p.x(p.back())
		p.f(`<rect class="dead" x="%.1f" y="%.0f" width="%.1f" height="%.0f"/>`+"\n", x, top, to-x, plotHeight)
	}
}

// step is the distance of the lines of the grid, in Mbit/s: there are at most
// six.
func (p *picture) step() float64 {
	for step := 1.0; ; step *= 10 {
		for _, s := range []float64{step, 2 * step, 5 * step} {
			if p.top/s <= 6 {
				return s
			}
		}
	}
}

func (p *picture) back() time.Duration {
	if p.r.BackAt == 0 {
		return p.end
	}
	return p.r.BackAt
}

// area fills what is between two functions of the stretches, in steps.
func (p *picture) area(top float64, class string, bins []rates, from, to func(rates) float64) {
	if len(bins) == 0 {
		return
	}
	p.f(`<path class="%s" d="`, class)
	p.f("M%.1f %.1f", p.x(bins[0].from), p.y(top, 0))
	if from != nil {
		p.f("V%.1f", p.y(top, from(bins[0])))
	}
	for _, b := range bins {
		p.f("V%.1fH%.1f", p.y(top, to(b)), p.x(b.to))
	}
	for _, b := range slices.Backward(bins) {
		floor := 0.0
		if from != nil {
			floor = from(b)
		}
		p.f("V%.1fH%.1f", p.y(top, floor), p.x(b.from))
	}
	p.WriteString("Z\"/>\n")
}

// over draws what is before the data: the axis and the moments.
func (p *picture) over(top float64) {
	y := top + plotHeight
	p.f(`<line class="axis" x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f"/>`+"\n", plotLeft, plotRight, y, y)
	for _, t := range []time.Duration{p.r.CutAt, p.r.BackAt} {
		if t > 0 {
			p.f(`<line class="edge" x1="%.1f" x2="%.1f" y1="%.0f" y2="%.1f"/>`+"\n", p.x(t), p.x(t), top, y)
		}
	}
}

// gap draws how long nothing arrived, if that can be seen.
func (p *picture) gap(top float64, s Stream) {
	x, to := p.x(s.GapAt), p.x(s.GapAt+s.Gap)
	if s.Gap < time.Second || to-x < 120 {
		return
	}
	y := top + plotHeight - 30
	p.f(`<path class="span" d="M%.1f %.1fv8m0 -4H%.1fm0 -4v8"/>`+"\n", x+3, y-4, to-3)
	p.text((x+to)/2, y-12, "mark", "middle", fmt.Sprintf("nothing for %s", seconds(s.Gap)))
}

// marks says what happens at the moments.
func (p *picture) marks() {
	name := p.r.Script.First.Name
	for _, top := range []float64{tcpTop, multipathTop} {
		if p.r.CutAt > 0 {
			p.text(p.x(p.r.CutAt)+7, top+15, "mark", "start", name+" is cut")
		}
		if p.r.BackAt > 0 {
			p.text(p.x(p.r.BackAt)-7, top+15, "mark", "end", name+" is back")
		}
	}
}
