package mptcptest

import (
	"fmt"
	"os"
)

// Names of environment variables. The first is for users, the other is how the
// process inside the laboratory knows that it is.
const (
	envRequire = "MPTCPTEST_REQUIRE" // labs are required: MainOptional is Main
	envInside  = "MPTCPTEST_INSIDE"  // network namespace that the lab was entered from
)

// missing is why there is no laboratory, once MainOptional runs the tests all
// the same. New skips.
var missing error

// exitNoLab is how the process inside tells the one outside that the
// namespaces were made but give no privilege. Tests exit with 0, 1 or 2.
const exitNoLab = 79

// Runner is what [Main] runs: a [*testing.M], or the body of a program that
// wants a laboratory.
type Runner interface{ Run() int }

// Main runs the tests of a package in a laboratory, and exits. It is the body
// of TestMain:
//
//	func TestMain(m *testing.M) { mptcptest.Main(m) }
//
// Main executes the test binary a second time with the same arguments, in user
// and network namespaces of its own, where it is root and the only interface is
// a loopback. Nothing that the tests do reaches the network of the machine, and
// nothing remains of it when they end, however they end. TestMain and package
// initialisation run twice, once on each side.
//
// Where the system does not let this user make namespaces, Main says what has
// to be changed and exits with status 1.
func Main(m Runner) { os.Exit(run(m, true)) }

// MainOptional is [Main], but where there can be no laboratory it runs the
// tests without: those that call [New] are skipped, with the reason, and the
// others run. If the environment variable MPTCPTEST_REQUIRE is set to anything
// but 0 it does not skip, it is Main.
func MainOptional(m Runner) {
	v := os.Getenv(envRequire)
	os.Exit(run(m, v != "" && v != "0"))
}

func run(m Runner, required bool) int {
	execInside() // does not return in a child process made by Host.Command
	if inside() {
		if err := setUpInside(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return exitNoLab
		}
		return m.Run()
	}
	code, err := enter()
	if err == nil {
		return code
	}
	err = explain(err)
	if required {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	missing = err
	return m.Run()
}
