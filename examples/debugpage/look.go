package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A state is as much of the page's JSON as is printed here.
type state struct {
	Host struct {
		Explain string
	}
	Summary struct {
		Multipath, Fallback, TCP, Unknown int

		Sent float64 `json:"sent_bytes_per_s"`
	}
	Connections struct {
		List []struct {
			ID            uint64
			Role, Remote  string
			State, Reason string
			Subflows      []struct {
				RTT float64 `json:"rtt_ms"`
			}
		}
	}
}

const states = 3 // to look at, a second apart

// look follows the page as a browser does.
func look(ctx context.Context, stdout io.Writer, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"events?role=dialed&sort=oldest", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for n := 0; n < states && lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var s state
		if err := json.Unmarshal([]byte(data), &s); err != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
		show(stdout, &s)
		n++
	}
	return lines.Err()
}

func show(stdout io.Writer, s *state) {
	fmt.Fprintf(stdout, "\n%s\n", s.Host.Explain)
	fmt.Fprintf(stdout, "  multipath %d, fallback %d, tcp %d, unknown %d; Multipath TCP sends %.1f Mbit/s\n",
		s.Summary.Multipath, s.Summary.Fallback, s.Summary.TCP, s.Summary.Unknown, s.Summary.Sent*8/1e6)
	for _, c := range s.Connections.List {
		verdict := c.State
		if c.Reason != "" {
			verdict += " (" + c.Reason + ")"
		}
		fmt.Fprintf(stdout, "  #%d to %s: %s", c.ID, c.Remote, verdict)
		for _, f := range c.Subflows {
			fmt.Fprintf(stdout, ", round trip %.2f ms", f.RTT)
		}
		fmt.Fprintln(stdout)
	}
}
