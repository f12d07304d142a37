package httptransport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/transport"
)

// A server and a client, each of which says what carries a request.
func Example() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := httptransport.FromRequest(r)
		fmt.Fprintln(w, "the server saw", status, err)
	})
	l, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: httptransport.Handler(handler, nil)}
	go server.Serve(l)
	defer server.Close()

	client := &http.Client{Transport: httptransport.RoundTripper(nil)}
	defer client.CloseIdleConnections()
	response, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	status, err := httptransport.FromResponse(response)
	fmt.Print(string(body))
	fmt.Println("the client saw", status, err)
	// Output:
	// the server saw multipath <nil>
	// the client saw multipath <nil>
}

// A server that knows only TCP: requests go through, and the status says why
// Multipath TCP does not carry them.
func ExampleFromResponse() {
	l, err := (&transport.ListenConfig{Mode: transport.Off}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{}
	go server.Serve(l)
	defer server.Close()

	client := &http.Client{Transport: httptransport.RoundTripper(nil)}
	defer client.CloseIdleConnections()
	response, err := client.Head("http://" + l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	response.Body.Close()
	status, err := httptransport.FromResponse(response)
	fmt.Println(status, err)
	fmt.Println(status.Explain())
	// Output:
	// fallback (not-answered) <nil>
	// The connection uses TCP. The answer came without the option: the peer does not speak Multipath TCP, or a middlebox removed the option.
}

// A client for which TCP will not do.
func ExampleNew_require() {
	l, err := (&transport.ListenConfig{Mode: transport.Off}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	client := &http.Client{Transport: httptransport.New(&transport.Dialer{
		NetDialer: new(net.Dialer), // no timeout but the request's
		Mode:      transport.Require,
	})}
	_, err = client.Get("http://" + l.Addr().String())
	fmt.Println(errors.Is(err, transport.ErrFallback))
	// Output: true
}

// One line for each request on either side.
func ExampleReportingRoundTripper() {
	report := func(_ context.Context, r httptransport.Report) {
		fmt.Println(r.Side, r.Method, r.StatusCode, r.Pattern, r.Status, r.Err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /item/{id}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "an item") })
	l, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: httptransport.Handler(mux, report)}
	go server.Serve(l)

	client := &http.Client{Transport: httptransport.ReportingRoundTripper(nil, report)}
	response, err := client.Get("http://" + l.Addr().String() + "/item/7")
	if err != nil {
		log.Fatal(err)
	}
	// A handler may return, and report, before or after its client has read
	// the response. To keep the lines in order, wait for it.
	server.Shutdown(context.Background())
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	// Output:
	// server GET 0 GET /item/{id} multipath <nil>
	// client GET 200  multipath <nil>
}
