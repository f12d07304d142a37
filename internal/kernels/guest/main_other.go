//go:build !linux

// Command guest is for Linux only.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "guest: this is the init of a Linux kernel that internal/kernels starts")
	os.Exit(2)
}
