// Package httptransport carries HTTP over Multipath TCP, and tells for each
// request, on both ends, whether Multipath TCP carried it and if not, why not.
//
// A client takes [New] for its transport, or [RoundTripper] to be able to ask
// about each response:
//
//	client := &http.Client{Transport: httptransport.RoundTripper(nil)}
//	response, err := client.Get("https://example.com/")
//	...
//	status, err := httptransport.FromResponse(response)
//
// A server listens with [ListenAndServe] or [ListenAndServeTLS] and asks about
// the request it is handling:
//
//	func handle(w http.ResponseWriter, r *http.Request) {
//		status, err := httptransport.FromRequest(r)
//		...
//	}
//
// A server with a listener of its own takes it from [transport.Listen], or
// from [transport.ListenConfig], and wraps its handler in [Handler]; package
// net/http does the rest.
//
// All of it works alike for HTTP/1.1 and HTTP/2, with TLS and without, for
// hijacked connections and on both sides of an [httputil.ReverseProxy].
// Connections, requests and response writers reach net/http and the handlers
// as they are: nothing is wrapped, so that sendfile, hijacking and flushing go
// on as before. (The one exception is the response body of a client that asked
// for reports: the end of the body is the end of the request.)
//
// [httputil.ReverseProxy]: https://pkg.go.dev/net/http/httputil#ReverseProxy
package httptransport
