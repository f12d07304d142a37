package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

// greet answers one connection with a greeting.
func greet(ln net.Listener) {
	conn, err := ln.Accept()
	if err != nil {
		return
	}
	io.WriteString(conn, "hello")
	conn.Close()
}

func Example() {
	ln, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	go greet(ln)

	var d transport.Dialer
	conn, err := d.DialContext(context.Background(), "tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	greeting, err := io.ReadAll(conn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", greeting)
	// Output: hello
}

// Where TCP is not acceptable, the error says why there was nothing else.
func ExampleDialer_require() {
	ln, err := (&transport.ListenConfig{Mode: transport.Off}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	go greet(ln)

	d := transport.Dialer{Mode: transport.Require}
	_, err = d.Dial("tcp", ln.Addr().String())
	fmt.Println(errors.Is(err, transport.ErrFallback))
	// Output: true
}

func ExampleListener_Status() {
	ln, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	if l, ok := ln.(*transport.Listener); ok {
		fmt.Println("listening by", l.Status())
	}
	// Output: listening by multipath
}

func ExampleConnections() {
	ln, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	conn, err := new(transport.Dialer).Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	for c := range transport.Connections() {
		if c.LocalAddr() != conn.LocalAddr() {
			continue
		}
		status, err := c.Status()
		if err != nil {
			continue // closed in the meantime
		}
		fmt.Println(c.Role(), status.State == mptcp.Multipath)
	}
	// Output: dialed true
}
