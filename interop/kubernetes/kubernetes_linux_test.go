package kubernetes

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/interop/internal/scene"
)

// apiServer answers what the test asks of an API server: updates of a config
// map, and a watch, which says what carried the update.
func apiServer(changed chan *corev1.ConfigMap) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /api/v1/namespaces/default/configmaps/map", func(w http.ResponseWriter, r *http.Request) {
		var m corev1.ConfigMap
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		status, err := httptransport.FromRequest(r)
		m.Data["carried"] = fmt.Sprint(status, " ", err)
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(m)
		changed <- &m
	})
	mux.HandleFunc("GET /api/v1/namespaces/default/configmaps", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		http.NewResponseController(w).Flush()
		for {
			select {
			case m := <-changed:
				json.NewEncoder(w).Encode(map[string]any{"type": "MODIFIED", "object": m})
				http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	return mux
}

// TestClientGo has client-go, with a dialer of this module, update an object
// and watch it, by TLS and HTTP/2. The watch outlives its path.
func TestClientGo(t *testing.T) {
	s := scene.New(t)
	server := httptest.NewUnstartedServer(apiServer(make(chan *corev1.ConfigMap, 1)))
	server.Listener.Close()
	server.Listener = s.Listen(port)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)

	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host: "https://" + s.Address(port),
		Dial: s.Dialer().DialContext,
		QPS:  -1,
		TLSClientConfig: rest.TLSClientConfig{
			ServerName: "example.com", // that httptest's certificate is for
			CAData:     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		},
		ContentConfig: rest.ContentConfig{ContentType: "application/json"},
	})
	if err != nil {
		t.Fatal(err)
	}
	maps := client.CoreV1().ConfigMaps("default")
	watch, err := maps.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(watch.Stop)
	n := 0
	s.Survives(scene.Program{
		Name: "Kubernetes client-go, net/http/httptest", Version: scene.ModuleVersion(t, "k8s.io/client-go"), Us: "client and server",
		Exchange: func() error {
			n++
			sent := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "map"}, Data: map[string]string{"n": fmt.Sprint(n)}}
			if _, err := maps.Update(ctx, sent, metav1.UpdateOptions{}); err != nil {
				return err
			}
			event, ok := <-watch.ResultChan()
			if !ok {
				return fmt.Errorf("the watch has ended")
			}
			m, ok := event.Object.(*corev1.ConfigMap)
			if !ok || m.Data["n"] != fmt.Sprint(n) || m.Data["carried"] != "multipath <nil>" {
				return fmt.Errorf("the watch says %v at %d", event, n)
			}
			return nil
		},
	})
}
