// Package scene is where the programs of others meet this module: a client
// and a server with two paths between them, a count of what is on the wires,
// and the loss of the path on which a connection began.
//
// Sockets of Go libraries are put into a host by the dialer or the listener
// that they are given. Programs run in a host as processes, from a tree of
// Debian packages: see NewProcess.
package scene
