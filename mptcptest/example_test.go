package mptcptest_test

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// A service keeps answering on one connection while the path under it dies.
func Example() {
	// func TestMain(m *testing.M) { mptcptest.Main(m) }

	test := func(t *testing.T) {
		lab := mptcptest.New(t)
		phone, server := lab.Host("phone"), lab.Host("server")
		wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi", Delay: 5 * time.Millisecond, Rate: 50 * mptcptest.Mbit})
		lte := lab.Link(phone, server, mptcptest.LinkConfig{Name: "lte", Delay: 30 * time.Millisecond, Rate: 20 * mptcptest.Mbit})
		phone.AddEndpoint(lte.Addr(phone), mptcptest.Subflow)

		l := server.Listen("tcp", net.JoinHostPort(wifi.Addr(server).String(), "80"))
		go greet(l)

		d := phone.Dialer()
		d.SetMultipathTCP(true)
		c, err := d.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		answers := bufio.NewScanner(c)
		ask := func(name string) {
			fmt.Fprintln(c, name)
			if !answers.Scan() || answers.Text() != "hello "+name {
				t.Errorf("answer %q, %v", answers.Text(), answers.Err())
			}
		}
		ask("before")
		wifi.Cut()
		ask("after")
	}
	_ = test
}

// greet answers every line on every connection.
func greet(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for s := bufio.NewScanner(c); s.Scan(); {
				fmt.Fprintln(c, "hello", s.Text())
			}
		}()
	}
}

// A fault of one's own is a function of a packet.
func ExampleFault() {
	var link *mptcptest.Link
	heal := link.Inject(mptcptest.Fault{
		Name: "lose long segments",
		Filter: func(p *mptcptest.Packet) mptcptest.Verdict {
			if len(p.Payload()) > 1000 {
				return mptcptest.Drop
			}
			return mptcptest.Pass
		},
	})
	// What does the service do now?
	heal()
}

// A home router forgets its connections.
func ExampleLink_NAT() {
	var phone *mptcptest.Host
	var wifi *mptcptest.Link
	nat := wifi.NAT(phone)
	// Connect, and use the connection.
	nat.Rebind()
	// Use it again.
}

// Two routers on the way to a server that has one address.
func ExampleNetwork_Router() {
	var lab *mptcptest.Network
	phone, server := lab.Host("phone"), lab.Host("server")
	home, mobile := lab.Router("home"), lab.Router("mobile")
	lab.Link(phone, home, mptcptest.LinkConfig{Name: "wifi"})
	lab.Link(phone, mobile, mptcptest.LinkConfig{Name: "lte", Delay: 30 * time.Millisecond})
	core := lab.Router("core")
	lab.Link(home, core, mptcptest.LinkConfig{Kernel: true})
	lab.Link(mobile, core, mptcptest.LinkConfig{Kernel: true})
	lab.Link(core, server, mptcptest.LinkConfig{Kernel: true})
}
