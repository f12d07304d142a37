package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// overQUIC is QUIC by quic-go, with its own congestion control.
const overQUIC = "QUIC"

// newQUICSite is a site over HTTP/3.
func newQUICSite(l *lab) *site {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	l.check(err)
	server := &http3.Server{Handler: handler(l), TLSConfig: http3.ConfigureTLSConfig(serverTLS())}
	client := &http3.Transport{TLSClientConfig: clientTLS()}
	go server.Serve(pc)
	l.Cleanup(func() {
		client.Close()
		server.Close()
		pc.Close()
	})
	return &site{"https://" + pc.LocalAddr().String(), &http.Client{Transport: client}}
}

// serverTLS makes a certificate that nobody checks.
func serverTLS(protocols ...string) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // no randomness
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}},
		NextProtos:   protocols,
	}
}

func clientTLS(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: protocols} // the speed is the same
}
