package handover

import (
	"context"
	"net"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
)

// A lever is something that an application or an administrator may pull to
// make handovers shorter.
type lever struct {
	name          string
	needs         string // the privilege, if it takes one
	congestion    string
	keepAlive     net.KeepAliveConfig
	tune          func(fd int) // of every socket, before it connects or listens
	dialOptions   []grpc.DialOption
	serverOptions []grpc.ServerOption
	sysctls       map[string]any                            // on both hosts
	guard         func(ctx context.Context, s *scene) error // runs beside the stream
}

func option(level, name, value int) func(fd int) {
	return func(fd int) { _ = unix.SetsockoptInt(fd, level, name, value) }
}

const (
	netAdmin = "CAP_NET_ADMIN"
	root     = "root, or the container's sysctls"
)

var levers = []lever{
	{name: "none"},
	{name: "congestion control cubic", congestion: "cubic"},
	{name: "congestion control bbr", congestion: "bbr"},
	{name: "TCP_KEEPIDLE, INTVL, CNT = 1 s, 1 s, 1", keepAlive: net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 1}},
	{name: "SO_SNDBUF 16 KiB", tune: option(unix.SOL_SOCKET, unix.SO_SNDBUF, 8<<10)},
	{name: "SO_SNDBUF 32 KiB", tune: option(unix.SOL_SOCKET, unix.SO_SNDBUF, 16<<10)},
	{name: "SO_SNDBUF 8 KiB", tune: option(unix.SOL_SOCKET, unix.SO_SNDBUF, 4<<10)},
	{name: "TCP_NOTSENT_LOWAT 4 KiB", tune: option(unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 4<<10)},
	{name: "gRPC windows of 64 KiB",
		dialOptions:   []grpc.DialOption{grpc.WithInitialWindowSize(65535), grpc.WithInitialConnWindowSize(65535)},
		serverOptions: []grpc.ServerOption{grpc.InitialWindowSize(65535), grpc.InitialConnWindowSize(65535)}},
	{name: "TCP_MAXSEG 536", tune: option(unix.IPPROTO_TCP, unix.TCP_MAXSEG, 536)},
	{name: "TCP_MAXSEG 536, SO_SNDBUF 16 KiB", tune: func(fd int) {
		option(unix.IPPROTO_TCP, unix.TCP_MAXSEG, 536)(fd)
		option(unix.SOL_SOCKET, unix.SO_SNDBUF, 8<<10)(fd)
	}},
	{name: "stale_loss_cnt 1", needs: root, sysctls: map[string]any{"net.mptcp.stale_loss_cnt": 1}},
	{name: "tcp_rto_min_us 20000", needs: root, sysctls: map[string]any{"net.ipv4.tcp_rto_min_us": 20000}},
	{name: "tcp_rto_min_us 20000, stale_loss_cnt 1", needs: root, sysctls: map[string]any{"net.ipv4.tcp_rto_min_us": 20000, "net.mptcp.stale_loss_cnt": 1}},
	{name: "tcp_retries2 2", needs: root, sysctls: map[string]any{"net.ipv4.tcp_retries2": 2}},
	{name: "endpoint of a silent subflow made a backup, client", needs: netAdmin, guard: atClient(demote)},
	{name: "endpoint of a silent subflow removed, client", needs: netAdmin, guard: atClient(remove)},
	{name: "silent subflow destroyed, both ends", needs: netAdmin, guard: both(destroy)},
	{name: "silent subflow destroyed, client", needs: netAdmin, guard: atClient(destroy)},
}

// An end is one end of the scene's connection.
type end struct {
	host *mptcptest.Host
	conn *net.TCPConn
}

type action func(s *scene, e end, dead mptcp.Subflow) error

func atClient(act action) func(ctx context.Context, s *scene) error {
	return func(ctx context.Context, s *scene) error {
		return guard(ctx, s, end{s.phone, s.clientConns.first()}, act)
	}
}

func both(act action) func(ctx context.Context, s *scene) error {
	return func(ctx context.Context, s *scene) error {
		failed := make(chan error, 2)
		go func() { failed <- guard(ctx, s, end{s.phone, s.clientConns.first()}, act) }()
		go func() { failed <- guard(ctx, s, end{s.server, s.serverConns.first()}, act) }()
		if err := <-failed; err != nil {
			return err
		}
		return <-failed
	}
}

// guard looks at the subflows of a connection, without any privilege, and acts
// once if one of them has gone silent and another has not.
func guard(ctx context.Context, s *scene, e end, act action) error {
	type state struct {
		acked uint64
		since time.Time
	}
	seen := make(map[uint32]state)
	for ctx.Err() == nil {
		subflows, err := mptcp.Subflows(e.conn)
		if err != nil {
			return nil // the stream has ended
		}
		var dead *mptcp.Subflow
		alive := false
		for _, f := range subflows {
			last, known := seen[f.ID]
			if !known || f.Unacked == 0 || f.BytesAcked != last.acked {
				last = state{f.BytesAcked, time.Now()}
				seen[f.ID] = last
			}
			// A delayed acknowledgement takes 40 ms.
			if time.Since(last.since) > f.RTT+4*f.RTTVar+50*time.Millisecond {
				dead = &f
			} else if f.State == mptcp.TCPEstablished {
				alive = true
			}
		}
		if dead != nil && alive {
			return act(s, e, *dead)
		}
		time.Sleep(tickEvery)
	}
	return nil
}

func demote(s *scene, _ end, dead mptcp.Subflow) error {
	s.phone.SetEndpoint(dead.Local.Addr(), mptcptest.Subflow|mptcptest.Backup)
	return nil
}

func remove(s *scene, _ end, dead mptcp.Subflow) error {
	s.phone.RemoveEndpoint(dead.Local.Addr())
	return nil
}

// destroy closes the subflow, and only it, as ss -K does.
func destroy(_ *scene, e end, dead mptcp.Subflow) (err error) {
	e.host.Do(func() { err = sockDestroy(dead.Local, dead.Remote) })
	return err
}
