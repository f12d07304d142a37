package nginx

import (
	"fmt"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/interop/internal/scene"
)

const port = 8080

// config is of one process that needs no directories but its own: listen is
// what follows the port.
func config(dir, listen string) string {
	return fmt.Sprintf(`
user root;
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr;
events {}
http {
	access_log off;
	sendfile on;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen %[2]d %[3]s;
		root %[1]s;
	}
}
`, dir, port, listen)
}

// serve starts nginx, after words that launch it, and returns a function that
// gets a file from it, by sendfile.
func serve(t *testing.T, s *scene.Scene, listen, want string, launcher ...string) (exchange func() error) {
	p := scene.NewProcess(t, s.Server)
	content := strings.Repeat("0123456789abcdef", 4096)
	p.File("file", []byte(content), 0o644)
	name := p.File("nginx.conf", []byte(config(p.Dir, listen)), 0o644)
	words := append(launcher, "nginx", "-e", "stderr", "-p", p.Dir, "-c", name)
	p.Start(words[0], words[1:]...)
	s.AwaitListener(port)
	return s.Get("http://"+s.Address(port)+"/file", content, want)
}

// TestNginx has a client of this module get files from nginx, which listens for
// Multipath TCP.
func TestNginx(t *testing.T) {
	s := scene.New(t)
	s.Survives(scene.Program{
		Name: "nginx (listen … multipath)", Version: scene.PackageVersion(t, "nginx"), Us: "client",
		Exchange: serve(t, s, "multipath", "multipath"),
	})
}

// TestNginxMPTCPize does the same with an nginx that was not told.
func TestNginxMPTCPize(t *testing.T) {
	s := scene.New(t)
	s.Survives(scene.Program{
		Name: "nginx under mptcpize", Version: scene.PackageVersion(t, "nginx"), Us: "client",
		Exchange: serve(t, s, "", "multipath", "mptcpize", "run"),
	})
}

// TestNginxTCP has one that knows only TCP.
func TestNginxTCP(t *testing.T) {
	s := scene.New(t)
	const want = "fallback (not-answered)"
	s.FallsBack(scene.Program{
		Name: "nginx", Version: scene.PackageVersion(t, "nginx"), Us: "client",
		Exchange: serve(t, s, "", want),
	}, want)
}
