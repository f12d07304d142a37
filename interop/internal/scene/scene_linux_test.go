package scene

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

func TestMain(m *testing.M) { mptcptest.Main(m) }

// A judged is a test whose failure is a result.
type judged struct {
	testing.TB
	failures []string
}

func (j *judged) Helper() {}

func (j *judged) Failed() bool { return len(j.failures) > 0 }

func (j *judged) Errorf(format string, args ...any) {
	j.failures = append(j.failures, fmt.Sprintf(format, args...))
}

func (j *judged) Fatalf(format string, args ...any) {
	j.Errorf(format, args...)
	runtime.Goexit()
}

// judge runs f as a test of its own in a scene, and returns what it said.
func judge(t *testing.T, f func(s *Scene)) (failures string) {
	t.Helper()
	j := &judged{TB: t}
	s := New(t)
	s.t, s.patience = j, 2*time.Second
	s.record = func(testing.TB, Result) {} // these are no programs
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(s)
	}()
	<-done
	return strings.Join(j.failures, "\n")
}

// serve answers each line with itself.
func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_, _ = io.Copy(c, c) // until the client has gone
		}()
	}
}

// A line is a client that sends a line and reads it again.
type line struct {
	c net.Conn
	r *bufio.Reader
}

func dial(d *transport.Dialer, address string) (*line, error) {
	c, err := d.DialContext(context.Background(), "tcp4", address)
	if err != nil {
		return nil, err
	}
	return &line{c, bufio.NewReader(c)}, nil
}

func (l *line) exchange() error {
	if err := l.c.SetDeadline(time.Now().Add(longest)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(l.c, "hello"); err != nil {
		return err
	}
	got, err := l.r.ReadString('\n')
	if err == nil && got != "hello\n" {
		err = fmt.Errorf("got %q", got)
	}
	return err
}

// program is one that exchanges lines with a listener.
func program(t *testing.T, s *Scene) Program {
	l, err := dial(s.Dialer(), s.Address(7))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.c.Close() })
	return Program{Name: "lines", Us: "client", Exchange: l.exchange}
}

func expect(t *testing.T, failures, want string) {
	t.Helper()
	if want == "" && failures != "" || !strings.Contains(failures, want) {
		t.Errorf("the proof says %q, not %q", failures, want)
	}
}

// TestHonest: the proof accepts what it should.
func TestHonest(t *testing.T) {
	expect(t, judge(t, func(s *Scene) {
		go serve(s.Listen(7))
		s.Survives(program(t, s))
	}), "")
}

// TestTCP: it does not accept TCP, and FallsBack does.
func TestTCP(t *testing.T) {
	listen := func(s *Scene) {
		config := s.Server.ListenConfig()
		config.SetMultipathTCP(false)
		l, err := config.Listen(t.Context(), "tcp4", ":7")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go serve(l)
	}
	expect(t, judge(t, func(s *Scene) {
		listen(s)
		s.Survives(program(t, s))
	}), "no subflow has joined")
	expect(t, judge(t, func(s *Scene) {
		listen(s)
		s.FallsBack(program(t, s), "fallback (not-answered)")
	}), "")
}

// TestMultipathNoFallback: FallsBack does not accept Multipath TCP.
func TestMultipathNoFallback(t *testing.T) {
	expect(t, judge(t, func(s *Scene) {
		go serve(s.Listen(7))
		s.FallsBack(program(t, s), "fallback (not-answered)")
	}), "multipath, <nil>, not fallback")
}

// TestNoJoin: the proof does not accept one path.
func TestNoJoin(t *testing.T) {
	expect(t, judge(t, func(s *Scene) {
		s.second.Inject(mptcptest.DropJoin())
		go serve(s.Listen(7))
		s.Survives(program(t, s))
	}), "no subflow has joined")
}

// TestBeginsAgain: it does not accept a program that begins a new connection
// by the other path when it hears that the first is lost.
func TestBeginsAgain(t *testing.T) {
	expect(t, judge(t, func(s *Scene) {
		go serve(s.Listen(7))
		p := program(t, s)
		current, again := p.Exchange, false
		p.Exchange = func() error {
			if again || s.first.From(s.Client).Stats().Dropped == 0 {
				return current()
			}
			again = true
			d := s.Dialer()
			d.NetDialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.second.Addr(s.Client), 0))
			l, err := dial(d, netip.AddrPortFrom(s.second.Addr(s.Server), 7).String())
			if err != nil {
				return err
			}
			t.Cleanup(func() { l.c.Close() })
			current = l.exchange
			return current()
		}
		s.Survives(p)
	}), "begin again")
}

// TestWrong: it does not accept wrong answers.
func TestWrong(t *testing.T) {
	expect(t, judge(t, func(s *Scene) {
		go serve(s.Listen(7))
		p := program(t, s)
		n := 0
		p.Exchange = func() error {
			if n++; n > rounds {
				return errors.New("a wrong answer")
			}
			return nil
		}
		s.Survives(p)
	}), "a wrong answer")
}
