package etcd

import (
	"fmt"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"

	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/interop/internal/scene"
)

const port = 2379

// exchange is a write, a read, and the news of the write by a watch, of a
// client with a dialer of this module.
func exchange(t *testing.T, s *scene.Scene) func() error {
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{s.Address(port)},
		DialOptions: grpcdialer.DialOptions(grpcdialer.WithDialer(s.Dialer())),
		Context:     t.Context(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	watch := client.Watch(t.Context(), "key")
	n := 0
	return func() error {
		n++
		value := fmt.Sprint("value ", n)
		if _, err := client.Put(t.Context(), "key", value); err != nil {
			return err
		}
		got, ok := <-watch
		if !ok || got.Err() != nil || len(got.Events) != 1 || string(got.Events[0].Kv.Value) != value {
			return fmt.Errorf("the watch says %v, %w for %q", got.Events, got.Err(), value)
		}
		r, err := client.Get(t.Context(), "key")
		if err != nil || len(r.Kvs) != 1 || string(r.Kvs[0].Value) != value {
			return fmt.Errorf("got %v, %w for %q", r, err, value)
		}
		return nil
	}
}

// TestEtcd has a server of etcd as it is. A watch outlives its path.
func TestEtcd(t *testing.T) {
	s := scene.New(t)
	scene.StartSelf(t, s.Server)
	s.AwaitListener(port)
	s.Survives(scene.Program{
		Name: "etcd", Version: scene.ModuleVersion(t, "go.etcd.io/etcd/server/v3"), Us: "client",
		Exchange: exchange(t, s),
	})
}

// TestEtcdListener has one with a listener of this module.
func TestEtcdListener(t *testing.T) {
	s := scene.New(t)
	e, err := start(t.TempDir(), "127.0.0.1:2379") // of the laboratory, not of a host
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	server := v3rpc.Server(e.Server, nil, nil, grpcdialer.ServerOptions()...)
	go server.Serve(s.Listen(port))
	t.Cleanup(server.Stop)
	s.Survives(scene.Program{
		Name: "etcd, embedded", Version: scene.ModuleVersion(t, "go.etcd.io/etcd/server/v3"), Us: "client and server",
		Exchange: exchange(t, s),
	})
}
