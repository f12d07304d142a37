package main

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
)

// The types of files in an archive, as in struct stat (linux/stat.h).
const (
	typeDir  = 0o040000
	typeFile = 0o100000
	typeChar = 0o020000
)

// A cpio writes an archive in the format "newc", the one that Linux unpacks
// into its first root file system (Documentation/driver-api/early-userspace).
type cpio struct {
	w    io.Writer
	n    int64 // bytes written
	ino  uint32
	dirs []string // written already
	err  error
}

const trailer = "TRAILER!!!"

func newCPIO(w io.Writer) *cpio { return &cpio{w: w} }

// file adds a regular file of the given size, and the directories above it.
func (c *cpio) file(name string, perm uint32, size int64, data io.Reader) error {
	if size < 0 || size > 1<<32-1 {
		return fmt.Errorf("initramfs: %s has %d bytes: the format holds 4 GiB", name, size)
	}
	c.dir(path.Dir(name))
	c.header(name, typeFile|perm, uint32(size), 0, 0)
	if c.err == nil {
		n, err := io.CopyN(c.w, data, size)
		c.n += n
		if err != nil {
			c.err = fmt.Errorf("initramfs: %s has %d bytes of %d: %w", name, n, size, err)
		}
	}
	c.pad()
	return c.err
}

// device adds a character device.
func (c *cpio) device(name string, perm, major, minor uint32) error {
	c.dir(path.Dir(name))
	c.header(name, typeChar|perm, 0, major, minor)
	return c.err
}

// close ends the archive, and pads it to the 512 bytes that cpio(1) expects.
func (c *cpio) close() error {
	c.ino = 0
	c.header(trailer, 0, 0, 0, 0)
	if rest := c.n % 512; rest != 0 {
		c.write(make([]byte, 512-rest))
	}
	return c.err
}

// dir adds a directory and those above it, once.
func (c *cpio) dir(name string) {
	if name == "." || name == "/" || slices.Contains(c.dirs, name) {
		return
	}
	c.dir(path.Dir(name))
	c.dirs = append(c.dirs, name)
	c.header(name, typeDir|0o755, 0, 0, 0)
}

func (c *cpio) header(name string, mode, size, major, minor uint32) {
	if path.IsAbs(name) || path.Clean(name) != name || name == ".." || len(name) > 1<<12 {
		c.err = errors.Join(c.err, fmt.Errorf("initramfs: %q is no clean relative name", name))
		return
	}
	if name != trailer {
		c.ino++
	}
	// Inode, mode, owner, group, links, time, size, the device that the file
	// is on, the device that the file is, the name's size, no checksum.
	c.write(fmt.Appendf(nil, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		c.ino, mode, 0, 0, 1, 0, size, 0, 0, major, minor, len(name)+1, 0))
	c.write(append([]byte(name), 0))
	c.pad()
}

// pad fills up to a multiple of four bytes.
func (c *cpio) pad() {
	if rest := c.n % 4; rest != 0 {
		c.write(make([]byte, 4-rest))
	}
}

func (c *cpio) write(b []byte) {
	if c.err != nil {
		return
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	c.err = err
}
