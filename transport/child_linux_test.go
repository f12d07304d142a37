package transport_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

// The test binary is its own other process, if its first argument names a part
// to play. It prints one line for each thing that it has seen.
func init() {
	if len(os.Args) < 2 {
		return
	}
	parts := map[string]func() error{"environment": fromEnvironment, "message": fromMessage, "dial": dialByDefault}
	if part := parts[os.Args[1]]; part != nil {
		if err := part(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// fromEnvironment serves on the socket that systemd would pass.
func fromEnvironment() error {
	inherited, err := transport.Inherited()
	if err != nil {
		return err
	}
	again, err := transport.Inherited()
	if len(inherited) != 1 || inherited[0].Name != "web" || again != nil || err != nil {
		return fmt.Errorf("inherited %v, then %v, %w", inherited, again, err)
	}
	return serveOn(inherited[0].Listener)
}

// fromMessage serves on the socket that comes by SCM_RIGHTS.
func fromMessage() error {
	c, err := net.FileConn(os.NewFile(3, "socket"))
	if err != nil {
		return err
	}
	defer c.Close()
	oob := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := c.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), oob)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("%d messages, %w", len(messages), err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return fmt.Errorf("%d file descriptors, %w", len(fds), err)
	}
	f := os.NewFile(uintptr(fds[0]), "received")
	defer f.Close()
	received, err := net.FileListener(f)
	if err != nil {
		return err
	}
	return serveOn(received)
}

// serveOn adopts a listener and echoes on one connection.
func serveOn(inherited net.Listener) error {
	ln, err := new(transport.ListenConfig).Adopt(inherited)
	if err != nil {
		return err
	}
	defer ln.Close()
	fmt.Println("listening:", ln.Status())
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.Copy(c, c); err != nil {
		return err
	}
	s, err := mptcp.InspectAddr(c.LocalAddr())
	if s.Reason == mptcp.ReasonNoSubflow { // both sides have finished by now
		s = mptcp.Status{State: mptcp.Multipath}
	}
	fmt.Println("served:", s)
	return err
}

// TestInherit: a listener that another process inherits or is sent is
// recognized there for what it is, and serves when the first process has closed
// it.
func TestInherit(t *testing.T) {
	for _, mode := range []transport.Mode{transport.Require, transport.Off} {
		for _, by := range []string{"environment", "message"} {
			t.Run(mode.String()+" by "+by, func(t *testing.T) {
				ln := listen(t, &transport.ListenConfig{Mode: mode})
				f, err := ln.File()
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$0" "$1"`, testBinary(t), by)
				cmd.ExtraFiles = []*os.File{f}
				if by == "message" {
					ours, theirs := socketPair(t)
					cmd.ExtraFiles[0] = theirs
					if _, _, err := ours.WriteMsgUnix([]byte("x"), syscall.UnixRights(int(f.Fd())), nil); err != nil {
						t.Fatal(err)
					}
				}
				says := start(t, cmd)
				want := "multipath"
				if mode == transport.Off {
					want = "tcp"
				}
				says("listening: " + want)
				ln.Close()
				f.Close()
				c, err := new(transport.Dialer).Dial("tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				roundTrip(t, c)
				c.(*net.TCPConn).CloseWrite()
				says("served: " + want)
			})
		}
	}
}

// TestNotInherited: what is meant for another process, or is not understood, is
// not taken.
func TestNotInherited(t *testing.T) {
	t.Setenv("LISTEN_FDNAMES", "")
	t.Setenv("LISTEN_FDS", "1")
	t.Setenv("LISTEN_PID", "1")
	if all, err := transport.Inherited(); all != nil || err != nil {
		t.Errorf("of another process: %v, %v", all, err)
	}
	if os.Getenv("LISTEN_FDS") != "1" {
		t.Error("what is meant for another process was removed")
	}
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	t.Setenv("LISTEN_FDS", "many")
	if all, err := transport.Inherited(); all != nil || err == nil {
		t.Errorf("many: %v, %v", all, err)
	}
}

func testBinary(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// socketPair returns the two ends of a connection, one to be handed over.
func socketPair(t *testing.T) (ours *net.UnixConn, theirs *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "ours")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { c.Close(); theirs.Close() })
	return c.(*net.UnixConn), theirs
}

// start starts the other process, and returns a function that checks the next
// line that it prints.
func start(t *testing.T, cmd *exec.Cmd) (says func(want string)) {
	t.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		timer.Stop()
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	return func(want string) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the other process says nothing more: %v", lines.Err())
		}
		if got := lines.Text(); got != want {
			t.Errorf("the other process says %q, want %q", got, want)
		}
	}
}

// dialByDefault dials with a zero Dialer, and says where from.
func dialByDefault() error {
	c, err := new(transport.Dialer).Dial("tcp", os.Args[2])
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "ping"); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 4))
	s, inspectErr := mptcp.Inspect(c)
	fmt.Println(c.LocalAddr().(*net.TCPAddr).IP, s)
	return errors.Join(err, inspectErr)
}
