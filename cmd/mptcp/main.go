// Command mptcp looks at Multipath TCP on this host, repairs it, and shows what
// it does.
//
//	mptcp lab               a path dies, and a stream lives on: a demonstration
//	mptcp doctor            what is wrong on this host, and how to repair it
//	mptcp doctor HOST:PORT  and where the option is lost on the way there
//
// The other commands are in docs/command.md, and in "mptcp help".
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
