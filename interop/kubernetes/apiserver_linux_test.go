package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/multipath-go/mptcp/interop/internal/scene"
)

// connect waits until the server is ready and returns a client of it with a
// dialer of this module.
func connect(t *testing.T, s *scene.Scene, dir string) *clientset.Clientset {
	s.AwaitListener(port) // the server opens it first, and is trusted later
	var a access
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(dir, accessFile))
		if err == nil {
			err = json.Unmarshal(b, &a) // which fails while it is being written
		}
		if err == nil {
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("the server does not get ready: %v", err)
		}
	}
	client, err := clientset.NewForConfig(&rest.Config{
		Host: "https://" + s.Address(port), Dial: s.Dialer().DialContext, QPS: -1, BearerToken: a.Token,
		TLSClientConfig: rest.TLSClientConfig{ServerName: a.ServerName, CAData: a.CA},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Not readyz, which asks whether other API servers are there.
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		_, err := client.RESTClient().Get().AbsPath("/healthz").DoRaw(t.Context())
		if err == nil {
			return client
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("the server does not get ready: %v", err)
		}
	}
}

// definition is an object that the server knows: the type of others.
var definition = &v1.CustomResourceDefinition{
	ObjectMeta: metav1.ObjectMeta{Name: "things.example.com"},
	Spec: v1.CustomResourceDefinitionSpec{
		Group: "example.com",
		Scope: v1.ClusterScoped,
		Names: v1.CustomResourceDefinitionNames{Plural: "things", Singular: "thing", Kind: "Thing", ListKind: "ThingList"},
		Versions: []v1.CustomResourceDefinitionVersion{{
			Name: "v1", Served: true, Storage: true,
			Schema: &v1.CustomResourceValidation{OpenAPIV3Schema: &v1.JSONSchemaProps{Type: "object"}},
		}},
	},
}

// TestAPIServer has client-go, with a dialer of this module, patch an object
// of an API server as it is, and watch it. The watch outlives its path.
func TestAPIServer(t *testing.T) {
	s := scene.New(t)
	dir := t.TempDir()
	t.Setenv(envDirectory, dir)
	scene.StartSelf(t, s.Server)
	definitions := connect(t, s, dir).ApiextensionsV1().CustomResourceDefinitions()
	if _, err := definitions.Create(t.Context(), definition, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	watch, err := definitions.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(watch.Stop)
	n := 0
	s.Survives(scene.Program{
		Name: "Kubernetes API server, client-go", Version: scene.ModuleVersion(t, "k8s.io/apiextensions-apiserver"), Us: "client",
		Exchange: func() error {
			n++
			patch := fmt.Appendf(nil, `{"metadata": {"annotations": {"n": "%d"}}}`, n)
			_, err := definitions.Patch(t.Context(), definition.Name, types.MergePatchType, patch, metav1.PatchOptions{})
			if err != nil {
				return err
			}
			for event := range watch.ResultChan() {
				d, ok := event.Object.(*v1.CustomResourceDefinition)
				if !ok {
					return fmt.Errorf("the watch says %v", event)
				}
				if d.Annotations["n"] == fmt.Sprint(n) {
					return nil
				} // or the server has changed the object's status
			}
			return fmt.Errorf("the watch has ended")
		},
	})
}
