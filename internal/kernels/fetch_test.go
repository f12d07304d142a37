package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestUnpack takes what is needed out of packages of both layouts, and nothing
// else: the one before Linux 7.0, and the one with image and modules apart.
func TestUnpack(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{
		"./boot/vmlinuz-6.1.0-50-cloud-amd64", "./boot/config-6.1.0-50-cloud-amd64",
		"./usr/lib/modules/6.12.1/kernel/drivers/net/veth.ko.xz", "./lib/modules/6.1.0/kernel/net/ipv4/inet_diag.ko",
		"./lib/modules/6.1.0/kernel/net/ipv4/udp_diag.ko", "./lib/modules/6.1.0/kernel/drivers/other/veth.ko",
	} {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(name))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: "./vmlinuz", Typeflag: tar.TypeSymlink, Linkname: "boot/vmlinuz"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := unpackTar(&b, dir); err != nil {
		t.Fatal(err)
	}
	f, err := cached(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "inet_diag.ko"), filepath.Join(dir, "veth.ko.xz")}
	if !slices.Equal(f.modules, want) {
		t.Errorf("modules %v, want %v", f.modules, want)
	}
	if text, err := os.ReadFile(f.image); err != nil || !strings.Contains(string(text), "boot/vmlinuz-6.1") {
		t.Errorf("image %q, %v", text, err)
	}
	if _, err := cached(t.TempDir()); err == nil {
		t.Error("an empty directory has a kernel")
	}
}

// TestPackageNames reads what apt says of both layouts.
func TestPackageNames(t *testing.T) {
	if got := imagePackage.FindString("Depends: linux-image-6.12.117+deb13-cloud-amd64 (= 6.12.117-1)"); got != "linux-image-6.12.117+deb13-cloud-amd64" {
		t.Errorf("image package %q", got)
	}
	const depends = "Depends: dracut | linux-initramfs-tool, linux-base-7.2.13+deb14-cloud-amd64 (= 7.2.13-1), " +
		"linux-binary-7.2.13+deb14-cloud-amd64 (= 7.2.13-1), linux-modules-7.2.13+deb14-cloud-amd64 (= 7.2.13-1)"
	if got := partPackage.FindAllString(depends, -1); len(got) != 2 || got[0] != "linux-binary-7.2.13+deb14-cloud-amd64" {
		t.Errorf("parts %q", got)
	}
}
