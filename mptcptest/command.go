package mptcptest

import "os/exec"

// Command returns a command that runs in the host, as root of the laboratory
// but with nobody's rights outside. It is killed if the test process dies.
//
// The command is executed by way of this program, so its Path and Args are not
// those given; all other fields are free to set before it is started, except
// for SysProcAttr, which may only be added to.
func (h *Host) Command(name string, args ...string) *exec.Cmd { return h.command(true, name, args) }

// Unprivileged is [Host.Command] for a process without any capability, and no
// way to get one: an ordinary user. A test can run itself so,
//
//	cmd := host.Unprivileged(os.Args[0], "-test.run=^TestMyself$", "-test.v")
//	cmd.Env = append(os.Environ(), "MYSELF=1")
//
// in which case package net is in the host without any Dialer of this package.
func (h *Host) Unprivileged(name string, args ...string) *exec.Cmd {
	return h.command(false, name, args)
}

func (h *Host) command(privileged bool, name string, args []string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	h.ns.command(cmd, privileged)
	return cmd
}
