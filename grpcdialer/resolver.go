package grpcdialer

import (
	"fmt"
	"slices"

	"google.golang.org/grpc/resolver"
)

type directKey struct{} // of an address's attributes: true if no proxy is to be used

// A dnsBuilder stands before gRPC's own resolver for the dns scheme. A target
// that is reached through a proxy is left unresolved, for the proxy to resolve:
// its name may mean nothing on this side. Any other target is resolved as ever,
// and its addresses are marked so that the dialer does not ask again: it would
// have to ask about an address where the user's NO_PROXY may name a host.
type dnsBuilder struct {
	next  resolver.Builder
	proxy proxyFunc
}

func newDNSBuilder(proxy proxyFunc) resolver.Builder {
	b := dnsBuilder{next: resolver.Get("dns"), proxy: proxy}
	if a, ok := b.next.(resolver.AuthorityOverrider); ok {
		return struct {
			dnsBuilder
			resolver.AuthorityOverrider
		}{b, a}
	}
	return b
}

func (b dnsBuilder) Scheme() string { return "dns" }

func (b dnsBuilder) Build(target resolver.Target, cc resolver.ClientConn, opts resolver.BuildOptions) (resolver.Resolver, error) {
	address, err := withDefaultPort(target.Endpoint())
	if err != nil {
		return nil, fmt.Errorf("grpcdialer: target %q: %w", target.Endpoint(), err)
	}
	proxy, err := b.proxy(targetURL(address))
	if err != nil {
		return nil, fmt.Errorf("grpcdialer: %w", &proxyError{target: address, err: err})
	}
	if proxy == nil {
		return b.next.Build(target, directClientConn{cc}, opts)
	}
	addresses := []resolver.Address{{Addr: address}}
	_ = cc.UpdateState(resolver.State{ // an error asks for another resolution, of which there is none
		Addresses: addresses,
		Endpoints: []resolver.Endpoint{{Addresses: addresses}},
	})
	return unresolved{}, nil
}

// unresolved is the resolver of a target that is left to a proxy.
type unresolved struct{}

func (unresolved) ResolveNow(resolver.ResolveNowOptions) {}
func (unresolved) Close()                                {}

// A directClientConn marks the addresses that a resolver reports.
type directClientConn struct{ resolver.ClientConn }

func (c directClientConn) UpdateState(s resolver.State) error {
	s.Addresses = direct(s.Addresses)
	s.Endpoints = slices.Clone(s.Endpoints)
	for i := range s.Endpoints {
		s.Endpoints[i].Addresses = direct(s.Endpoints[i].Addresses)
	}
	return c.ClientConn.UpdateState(s)
}

// NewAddress is deprecated, and resolvers use it all the same.
func (c directClientConn) NewAddress(addresses []resolver.Address) {
	_ = c.UpdateState(resolver.State{Addresses: addresses})
}

func direct(addresses []resolver.Address) []resolver.Address {
	addresses = slices.Clone(addresses)
	for i := range addresses {
		addresses[i].Attributes = addresses[i].Attributes.WithValue(directKey{}, true)
	}
	return addresses
}
