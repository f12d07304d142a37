package mptcptest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestInterrupt counts the signals that reach a process inside: one of Ctrl-C at
// a terminal, which sends it to the process outside as well, and one that only
// the process outside was sent.
func TestInterrupt(t *testing.T) {
	if os.Getenv("MPTCPTEST_TEST_INTERRUPT") != "" {
		signals := make(chan os.Signal, 8)
		signal.Notify(signals, unix.SIGINT)
		fmt.Println("ready")
		<-signals
		time.Sleep(500 * time.Millisecond)
		fmt.Println("interrupts:", 1+len(signals))
		return
	}
	keyboard, terminal := openTerminal(t)
	for _, typed := range []bool{true, false} {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestInterrupt$")
		cmd.Env = []string{"MPTCPTEST_TEST_INTERRUPT=1"}
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if typed {
			cmd.Stdin = terminal
			cmd.SysProcAttr.Setctty = true
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || lines.Text() != "ready" {
			t.Fatalf("%q, %v", lines.Text(), lines.Err())
		}
		if typed {
			_, err = keyboard.Write([]byte{3}) // Ctrl-C
		} else {
			err = cmd.Process.Signal(unix.SIGINT)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || lines.Text() != "interrupts: 1" {
			t.Errorf("typed %v: %q, %v", typed, lines.Text(), lines.Err())
		}
		for lines.Scan() { // "PASS"
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// openTerminal makes a pseudoterminal.
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	open := func(name string) *os.File {
		f, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	keyboard = open("/dev/ptmx")
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return keyboard, open("/dev/pts/" + strconv.Itoa(n))
}
