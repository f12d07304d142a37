package pathmanager_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"

	"github.com/multipath-go/mptcp/pathmanager"
)

// The second uplink carries data only when the first cannot.
func ExampleClient_AddEndpoint() {
	c, err := pathmanager.Dial()
	if err != nil {
		log.Fatal(err) // no Multipath TCP here
	}
	defer c.Close()
	err = c.AddEndpoint(pathmanager.Endpoint{
		Addr:  netip.MustParseAddr("10.0.2.7"),
		Flags: pathmanager.Subflow | pathmanager.Backup,
	})
	if errors.Is(err, os.ErrExist) {
		err = nil // somebody has added it before
	}
	if err != nil {
		log.Fatal(err) // says so if it lacks CAP_NET_ADMIN
	}
	all, err := c.Endpoints()
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range all {
		fmt.Println(e) // 10.0.2.7 id 1 subflow backup
	}
}

// What happens to the connections of this host, until it is interrupted.
func ExampleClient_Events() {
	c, err := pathmanager.Dial()
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	events, err := c.Events(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for e, err := range events {
		lost, overflow := errors.AsType[*pathmanager.OverflowError](err)
		switch {
		case overflow:
			fmt.Println(lost.Lost, "events are missing here")
		case err != nil:
			log.Fatal(err)
		case e.Type == pathmanager.EventSubflowClosed:
			fmt.Printf("connection %08x has lost the subflow from %v: %v\n", e.Token, e.Local, e.Errno)
		default:
			fmt.Println(e)
		}
	}
}

// A program that is itself the path manager (sysctl
// net.mptcp.path_manager=userspace) opens a second subflow on every connection
// that this host has begun, as soon as it can have one.
func ExampleConnection() {
	lte := pathmanager.Endpoint{ID: 1, Addr: netip.MustParseAddr("10.0.2.7")}
	c, err := pathmanager.Dial()
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	events, err := c.Events(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for e, err := range events {
		if err != nil {
			log.Print(err)
			continue
		}
		if e.Type != pathmanager.EventEstablished || e.Flags&pathmanager.ServerSide != 0 {
			continue
		}
		server := pathmanager.Endpoint{Addr: e.Remote.Addr(), Port: e.Remote.Port()}
		if err := c.Connection(e.Token).CreateSubflow(lte, server); err != nil {
			log.Print(err)
		}
	}
}

// The endpoints of a container.
func ExampleDialIn() {
	ns, err := os.Open("/run/netns/blue")
	if err != nil {
		log.Fatal(err)
	}
	c, err := pathmanager.DialIn(ns)
	ns.Close()
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.Endpoints())
}

func ExampleFlags() {
	var f pathmanager.Flags
	if err := f.UnmarshalText([]byte("subflow,backup")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(f == pathmanager.Subflow|pathmanager.Backup, f)
	// Output: true subflow backup
}
