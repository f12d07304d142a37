package mptcp_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/multipath-go/mptcp"
)

func ExampleProbe() {
	if err := mptcp.Probe(); err != nil {
		fmt.Println("cannot use Multipath TCP:", err)
		return
	}
	fmt.Println("can use Multipath TCP")
	// Output: can use Multipath TCP
}

// A connection that package net made is inspected like any other.
func ExampleInspect() {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // a server that does not speak Multipath TCP
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()

	var d net.Dialer
	d.SetMultipathTCP(true)
	conn, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	status, err := mptcp.Inspect(conn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status)
	fmt.Println(status.Explain())
	// Output:
	// fallback (not-answered)
	// The connection uses TCP. The answer came without the option: the peer does not speak Multipath TCP, or a middlebox removed the option.
}

func ExampleSubflows() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	var d net.Dialer
	d.SetMultipathTCP(true)
	conn, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	subflows, err := mptcp.Subflows(conn)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range subflows {
		fmt.Println(s.ID, s.State, s.Remote.Addr())
	}
	// Output: 1 established 127.0.0.1
}

func ExampleReadCounters() {
	before, err := mptcp.ReadCounters()
	if err != nil {
		log.Fatal(err)
	}
	// … use the network …
	after, err := mptcp.ReadCounters()
	if err != nil {
		log.Fatal(err)
	}
	for name, n := range after.Sub(before).Sorted() {
		fmt.Println(name, n)
	}
}
