// Package labtest is a small gRPC service and, in handover_linux_test.go, what
// this package is about: a test of it with a handover. A phone leaves the Wi-Fi
// in the middle of a stream, and the stream goes on over the mobile network.
//
//	go test -v ./examples/labtest
//
// The test needs Linux, and no privilege: package mptcptest makes the two
// networks in namespaces of the test process. With -v it prints a picture of
// them and a timeline.
//
// To test a service of your own, copy the test and put your service in the
// place of the Clock.
package labtest
