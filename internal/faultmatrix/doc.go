// Package faultmatrix says what Multipath TCP connections and the RPCs on them
// do under every fault that package mptcptest can make, and finds out whether
// it is true.
//
// [Faults] is a list of faults with what is expected of each. [Run] meets them
// in a laboratory: with IPv4 and with IPv6, with this module's dialer and
// listener and with those of package net. Its test holds the results against
// the expectations; its command writes them into docs/fault-matrix.md:
//
//	go run ./internal/faultmatrix/cmd
package faultmatrix
