package grpcdialer

import (
	"google.golang.org/grpc/resolver"

	"github.com/multipath-go/mptcp/transport"
)

type modeKey struct{} // of an address's attributes: a transport.Mode

// WithMode returns a copy of addr whose connections are dialed in the given
// mode, whatever the dialer's own mode is. It is for resolvers and balancers
// that know their endpoints: one may require Multipath TCP while another is
// dialed by TCP.
//
//	resolver.Endpoint{Addresses: []resolver.Address{
//		grpcdialer.WithMode(resolver.Address{Addr: "192.0.2.1:443"}, transport.Require),
//	}}
//
// The mode is an attribute of the address, because gRPC shows those of an
// endpoint to its balancer only and not to a dialer. It decides about the
// connection to the proxy if there is one.
func WithMode(addr resolver.Address, mode transport.Mode) resolver.Address {
	addr.Attributes = addr.Attributes.WithValue(modeKey{}, mode)
	return addr
}
