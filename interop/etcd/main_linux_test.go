package etcd

import (
	"fmt"
	"net/url"
	"os"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/multipath-go/mptcp/interop/internal/scene"
)

func TestMain(m *testing.M) { scene.Main(m, serve) }

// start starts a server of etcd with its own listener, which is package net's.
func start(dir, client string) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = dir
	config.LogLevel = "fatal" // it logs its end as an error
	clients := []url.URL{{Scheme: "http", Host: client}}
	peers := []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}}
	config.ListenClientUrls, config.AdvertiseClientUrls = clients, clients
	config.ListenPeerUrls, config.AdvertisePeerUrls = peers, peers
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	e, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-e.Server.ReadyNotify():
		return e, nil
	case err := <-e.Err():
		return nil, err
	}
}

// serve is etcd as a process of its own.
func serve() error {
	dir, err := os.MkdirTemp("", "etcd")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	e, err := start(dir, fmt.Sprint("0.0.0.0:", port))
	if err != nil {
		return err
	}
	return <-e.Err()
}
