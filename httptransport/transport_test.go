package httptransport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/transport"
)

var discard = log.New(io.Discard, "", 0)

// Everything but the dial functions is what http.DefaultTransport has, even
// if that has been replaced by something else.
func TestNewKeepsDefaults(t *testing.T) {
	original := http.DefaultTransport.(*http.Transport).Clone()
	defer func(old http.RoundTripper) { http.DefaultTransport = old }(http.DefaultTransport)
	for name, def := range map[string]http.RoundTripper{
		"original": http.DefaultTransport,
		"replaced": http.NewFileTransport(http.Dir("/")),
		"nil":      (*http.Transport)(nil),
	} {
		http.DefaultTransport = def
		got := httptransport.New(nil)
		if got.DialContext == nil {
			t.Errorf("%s: no DialContext", name)
		}
		got, want := got.Clone(), original.Clone() // a clone has HTTP/2 set up
		for i := range reflect.TypeFor[http.Transport]().NumField() {
			f := reflect.TypeFor[http.Transport]().Field(i)
			if !f.IsExported() || f.Name == "DialContext" {
				continue
			}
			g, w := reflect.ValueOf(got).Elem().Field(i), reflect.ValueOf(want).Elem().Field(i)
			switch f.Type.Kind() {
			case reflect.Func:
				if g.Pointer() != w.Pointer() {
					t.Errorf("%s: %s differs", name, f.Name)
				}
			case reflect.Map, reflect.Pointer, reflect.Interface:
				if g.IsNil() != w.IsNil() {
					t.Errorf("%s: %s is %v, want %v", name, f.Name, g, w)
				}
			default:
				if !g.Equal(w) {
					t.Errorf("%s: %s is %v, want %v", name, f.Name, g, w)
				}
			}
		}
	}
}

// Dial functions of http.DefaultTransport would go before ours.
func TestNewDropsDialFunctions(t *testing.T) {
	defer func(old http.RoundTripper) { http.DefaultTransport = old }(http.DefaultTransport)
	dial := func(context.Context, string, string) (net.Conn, error) { panic("not ours") }
	http.DefaultTransport = &http.Transport{
		DialContext: dial, DialTLSContext: dial,
		Dial:            func(string, string) (net.Conn, error) { panic("not ours") }, //nolint:staticcheck // deprecated, and obeyed
		DialTLS:         func(string, string) (net.Conn, error) { panic("not ours") }, //nolint:staticcheck // deprecated, and obeyed
		TLSClientConfig: &tls.Config{ServerName: "kept"},
	}
	tr := httptransport.New(nil)
	if tr.Dial != nil || tr.DialTLS != nil || tr.DialTLSContext != nil { //nolint:staticcheck // as above
		t.Error("a dial function was kept")
	}
	if tr.TLSClientConfig.ServerName != "kept" {
		t.Error("TLSClientConfig was not kept")
	}
	for _, url := range []string{"http://127.0.0.1:0", "https://127.0.0.1:0"} {
		if _, err := (&http.Client{Transport: tr}).Get(url); err == nil {
			t.Error("no error")
		}
	}
}

// The dialer's settings are obeyed, and it is not changed.
func TestNewDialer(t *testing.T) {
	d := &transport.Dialer{Mode: transport.Off}
	httptransport.New(d)
	if d.NetDialer != nil {
		t.Error("the dialer was changed")
	}
	refused := errors.New("refused by test")
	d.NetDialer = &net.Dialer{Timeout: time.Second, ControlContext: nil, Resolver: &net.Resolver{
		PreferGo: true,
		Dial:     func(context.Context, string, string) (net.Conn, error) { return nil, refused },
	}}
	_, err := (&http.Client{Transport: httptransport.New(d)}).Get("http://name.invalid")
	if _, ok := errors.AsType[*net.DNSError](err); !ok {
		t.Errorf("error %v: the resolver was not asked", err)
	}
}

type idler struct {
	http.RoundTripper
	closed int
}

func (i *idler) CloseIdleConnections() { i.closed++ }

func TestCloseIdleConnections(t *testing.T) {
	base := new(idler)
	(&http.Client{Transport: httptransport.RoundTripper(base)}).CloseIdleConnections()
	if base.closed != 1 {
		t.Error("not passed on")
	}
	(&http.Client{Transport: httptransport.RoundTripper(http.NewFileTransport(http.Dir("/")))}).CloseIdleConnections()
}
