// Package sockopt talks to sockets in ways that package net and x/sys do not
// offer. It is the only package of this module that imports unsafe.
package sockopt
