package curl

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/interop/internal/scene"
)

// transfer starts an upload by curl that is answered line by line. The returned
// function has curl send a line and checks the answer, which says what the
// server sees.
func transfer(t *testing.T, s *scene.Scene, want string, options ...string) (exchange func() error) {
	server := &http.Server{Handler: http.HandlerFunc(echo)}
	go server.Serve(s.Listen(80))
	t.Cleanup(func() { server.Close() })

	p := scene.NewProcess(t, s.Client)
	in, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Start("curl", append(options, "--no-progress-meter", "--no-buffer", "--upload-file", ".", "http://"+s.Address(80))...)
	r := bufio.NewReader(out)
	n := 0
	return func() error {
		n++
		if _, err := fmt.Fprintln(in, "line", n); err != nil {
			return err
		}
		got, err := r.ReadString('\n')
		if want := fmt.Sprintf("line %d by %s <nil>", n, want); err != nil || strings.TrimSpace(got) != want {
			return fmt.Errorf("curl got %q, %w, not %q", got, err, want)
		}
		return nil
	}
}

// echo answers each line at once.
func echo(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	if err := c.EnableFullDuplex(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		status, err := httptransport.FromRequest(r)
		fmt.Fprintln(w, lines.Text(), "by", status, err)
		c.Flush()
	}
}

// TestCurl has curl exchange lines with a server of this module.
func TestCurl(t *testing.T) {
	s := scene.New(t)
	s.Survives(scene.Program{
		Name: "curl --mptcp", Version: scene.PackageVersion(t, "curl"), Us: "server",
		Exchange: transfer(t, s, "multipath", "--mptcp"),
	})
}

// TestCurlTCP does so by TCP, from the same listener.
func TestCurlTCP(t *testing.T) {
	s := scene.New(t)
	const want = "tcp (not-offered)"
	s.FallsBack(scene.Program{
		Name: "curl", Version: scene.PackageVersion(t, "curl"), Us: "server",
		Exchange: transfer(t, s, want),
	}, want)
}
