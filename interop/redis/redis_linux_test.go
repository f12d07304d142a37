package redis

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/multipath-go/mptcp/interop/internal/scene"
)

const port = 6379

// client is one of go-redis, with one connection, and exchange a write and a
// read by it.
func client(t *testing.T, s *scene.Scene) (exchange func() error) {
	s.AwaitListener(port)
	c := redis.NewClient(&redis.Options{
		Addr: s.Address(port), Dialer: s.Dialer().DialContext, PoolSize: 1, MaxRetries: -1,
		ReadTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second,
	})
	t.Cleanup(func() { c.Close() })
	n := 0
	return func() error {
		n++
		value := fmt.Sprint("value ", n)
		if err := c.Set(context.Background(), "key", value, 0).Err(); err != nil {
			return err
		}
		got, err := c.Get(context.Background(), "key").Result()
		if err == nil && got != value {
			err = fmt.Errorf("got %q for %q", got, value)
		}
		return err
	}
}

var options = []string{"--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""}

// TestRedis has go-redis talk to a server that knows only TCP.
func TestRedis(t *testing.T) {
	s := scene.New(t)
	scene.NewProcess(t, s.Server).Start("redis-server", options...)
	s.FallsBack(scene.Program{
		Name: "go-redis, Redis", Version: versions(t, "redis-server"), Us: "client", Exchange: client(t, s),
	}, "fallback (not-answered)")
}

// TestRedisMPTCPize has the same server use Multipath TCP without knowing.
func TestRedisMPTCPize(t *testing.T) {
	s := scene.New(t)
	scene.NewProcess(t, s.Server).Start("mptcpize", append([]string{"run", "redis-server"}, options...)...)
	s.Survives(scene.Program{
		Name: "go-redis, Redis under mptcpize", Version: versions(t, "redis-server"), Us: "client", Exchange: client(t, s),
	})
}

// TestValkey has go-redis talk to a server that was told to use Multipath TCP.
func TestValkey(t *testing.T) {
	s := scene.New(t)
	scene.NewProcess(t, s.Server).Start("valkey-server", append(options, "--mptcp", "yes")...)
	s.Survives(scene.Program{
		Name: "go-redis, Valkey (mptcp yes)", Version: versions(t, "valkey-server"), Us: "client", Exchange: client(t, s),
	})
}

func versions(t *testing.T, server string) string {
	return scene.ModuleVersion(t, "github.com/redis/go-redis/v9") + ", " + scene.PackageVersion(t, server)
}
