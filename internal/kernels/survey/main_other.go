//go:build !linux

// Command survey is for Linux only.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "survey: this asks a Linux kernel: see internal/kernels")
	os.Exit(2)
}
