//go:build !race

package mptcpz

const raceEnabled = false
