package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"github.com/multipath-go/mptcp/interop/internal/scene"
)

const (
	port = 6443

	// envDirectory names a directory of the server and of the test that has
	// started it.
	envDirectory = "INTEROP_KUBERNETES"

	// accessFile in it is written when the server is ready.
	accessFile = "access.json"
)

// access is what a client needs to be trusted, and to trust.
type access struct {
	Token, ServerName string
	CA                []byte
}

func TestMain(m *testing.M) { scene.Main(m, serve) }

// serve is an API server of Kubernetes with its own listener, the one for
// resource definitions, on an etcd of its own.
func serve() error {
	dir := os.Getenv(envDirectory)
	store, err := startEtcd(dir)
	if err != nil {
		return err
	}
	o := options.NewCustomResourceDefinitionsServerOptions(io.Discard, os.Stderr)
	r := o.RecommendedOptions
	r.Etcd.StorageConfig.Transport.ServerList = []string{store}
	r.SecureServing.BindAddress, r.SecureServing.BindPort = net.IPv4zero, port
	r.SecureServing.ServerCert.CertDirectory = dir
	// There is no other API server to ask about users, rights and admission.
	r.Authentication.RemoteKubeConfigFileOptional, r.Authentication.SkipInClusterLookup = true, true
	r.Authorization.RemoteKubeConfigFileOptional = true
	r.Admission = nil
	r.Features.EnablePriorityAndFairness = false
	if r.CoreAPI.CoreAPIKubeconfigPath, err = nobody(dir); err != nil {
		return err
	}
	if err := o.Complete(); err != nil {
		return err
	}
	if err := o.Validate(); err != nil {
		return err
	}
	config, err := o.Config()
	if err != nil {
		return err
	}
	server, err := config.Complete().New(genericapiserver.NewEmptyDelegate())
	if err != nil {
		return err
	}
	loopback := server.GenericAPIServer.LoopbackClientConfig
	b, err := json.Marshal(access{loopback.BearerToken, loopback.ServerName, loopback.CAData})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, accessFile), b, 0o600); err != nil {
		return err
	}
	return server.GenericAPIServer.PrepareRun().RunWithContext(context.Background())
}

func startEtcd(dir string) (address string, err error) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(dir, "etcd")
	config.LogLevel = "error"
	client, peer := url.URL{Scheme: "http", Host: "127.0.0.1:2379"}, url.URL{Scheme: "http", Host: "127.0.0.1:2380"}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	e, err := embed.StartEtcd(config)
	if err != nil {
		return "", err
	}
	select {
	case <-e.Server.ReadyNotify():
		return client.String(), nil
	case err := <-e.Err():
		return "", err
	case <-time.After(10 * time.Second):
		return "", fmt.Errorf("etcd is not ready")
	}
}

// nobody writes the address of an API server that does not exist.
func nobody(dir string) (name string, err error) {
	name = filepath.Join(dir, "kubeconfig")
	return name, os.WriteFile(name, []byte(`{
	"apiVersion": "v1", "kind": "Config", "current-context": "none",
	"clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
	"contexts": [{"name": "none", "context": {"cluster": "none"}}]
}`), 0o600)
}
