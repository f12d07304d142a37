package mptcpz_test

import (
	"log"
	"net/http"

	"github.com/multipath-go/mptcp/mptcpz"
)

// The page is at http://localhost:6060/debug/mptcp/, for this host.
func ExampleHandler() {
	mux := http.NewServeMux()
	mux.Handle("/debug/mptcp/", mptcpz.Handler(nil))
	go func() { log.Print(http.ListenAndServe("localhost:6060", mux)) }()
}

// Whoever brings the password may look from elsewhere.
func ExampleConfig() {
	page := mptcpz.Handler(&mptcpz.Config{Allow: func(r *http.Request) bool {
		_, password, ok := r.BasicAuth()
		return mptcpz.Loopback(r) || ok && correct(password)
	}})
	http.Handle("/debug/mptcp/", page)
}

func correct(string) bool { return false }
