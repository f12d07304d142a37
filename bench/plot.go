package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"
)

// Measures of a picture, in pixels.
const (
	plotLeft, plotWidth = 310, 370
	pictureWidth        = 840
	plotTop             = 52
	barHeight, rowGap   = 15, 13

	mostShare = 2.0 // ratios beyond are cut off, and say so
)

// colorOf has the same color for the same way in every picture, and others for
// those that are in one only.
var colorOf = map[string]string{
	tcp: "#2f6fde", std: "#d9822b", ours: "#2d9d78", reported: "#8e5bc8", overQUIC: "#c9406a",
	std + ", active": "#d9822b", std + ", backup": "#e8b27c", ours + ", active": "#2d9d78", ours + ", backup": "#80c4ac",
}

var otherColors = []string{"#2f6fde", "#2d9d78", "#8e5bc8", "#c9406a"}

func color(way string, i int) string {
	if c, ok := colorOf[way]; ok {
		return c
	}
	return otherColors[i%len(otherColors)]
}

const plotStyle = `<style>text{font:12px system-ui,sans-serif;fill:#24292f}.v{font-size:11px}.t{font-size:14px;font-weight:600}` +
	`.one{stroke:#57606a;stroke-dasharray:3 3}.q{stroke:#24292f}` +
	`@media(prefers-color-scheme:dark){text{fill:#e6edf3}.one{stroke:#9198a1}.q{stroke:#e6edf3}}</style>`

// plot draws a bar for each row and way, and a line across it between which
// values half of the rounds are: ratios to the base, with a line at 1, or the
// figures themselves if there is no base.
func (r result) plot() []byte {
	var ways []string
	for _, w := range r.ways() {
		if w != r.base {
			ways = append(ways, w)
		}
	}
	var body bytes.Buffer
	y, hint := plotTop, ""
	for _, row := range r.rows {
		n := 0
		for i, way := range ways {
			if r.bar(&body, row, way, color(way, i), y+n*barHeight) {
				n++
			}
		}
		if n > 0 {
			name := row.name
			if row.less {
				name += " ↓"
				hint = "↓ less is better"
			}
			fmt.Fprintf(&body, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", plotLeft-10, y+n*barHeight/2+4, html.EscapeString(name))
			y += n*barHeight + rowGap
		}
	}
	title := r.title
	if r.base != "" {
		title += ", ratio to " + r.base
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n%s\n", pictureWidth, y+14, html.EscapeString(title), plotStyle)
	fmt.Fprintf(&b, `<text x="8" y="18" class="t">%s</text>`+"\n", html.EscapeString(title))
	x := 8
	for i, way := range ways {
		fmt.Fprintf(&b, `<rect x="%d" y="29" width="10" height="10" fill="%s"/><text x="%d" y="38">%s</text>`+"\n", x, color(way, i), x+15, html.EscapeString(way))
		x += 35 + 7*len(way)
	}
	fmt.Fprintf(&b, `<text x="%d" y="18" text-anchor="end">%s</text>`+"\n", pictureWidth-8, hint)
	b.Write(body.Bytes())
	if r.base != "" {
		one := plotLeft + plotWidth/mostShare
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" class="one"/><text x="%.1f" y="%d" text-anchor="middle" class="v">%s = 1</text>`+"\n",
			one, one, plotTop-5, y-6, one, y+8, html.EscapeString(r.base))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// bar draws one bar, and says whether there was anything to draw.
func (r result) bar(b *bytes.Buffer, row row, way, color string, y int) bool {
	s, most, print := newSpread(row.of(way)), r.most(row), digits
	if r.base != "" {
		s, most, print = row.ratios(way, r.base), mostShare, share
	}
	if s.n == 0 {
		return false
	}
	x := func(v float64) float64 { return plotLeft + plotWidth*min(v, most)/most }
	label := print(s.median)
	if s.quarter != s.threeQuart {
		label += fmt.Sprintf(" (%s to %s)", print(s.quarter), print(s.threeQuart))
	}
	if s.median > most {
		label += " →"
	}
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/>`, plotLeft, y, x(s.median)-plotLeft, barHeight-3, color)
	fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" class="q"/>`, x(s.quarter), x(s.threeQuart), y+barHeight/2-1, y+barHeight/2-1)
	fmt.Fprintf(b, `<text x="%.1f" y="%d" class="v">%s</text>`+"\n", max(x(s.median), x(s.threeQuart))+5, y+barHeight-5, label)
	return true
}

// most is the largest median of the figure that the row shows.
func (r result) most(of row) float64 {
	var all []float64
	for _, row := range r.rows {
		if row.figure != of.figure {
			continue
		}
		for i := range row.ways {
			if m := newSpread(row.samples[i]).median; !math.IsInf(m, 1) {
				all = append(all, m)
			}
		}
	}
	return max(slices.Max(append(all, 0)), 1e-9)
}
