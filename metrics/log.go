package metrics

import (
	"context"
	"log/slog"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

// LogEnds returns a function that logs the fate of each connection in one line
// when it ends: which end it was, how long it lived and what carried it last,
// with the reason if that is not Multipath TCP. It is for OnChange of
// [transport.Dialer] and [transport.ListenConfig], and returns nil, which costs
// nothing, if logger is nil.
//
//	d := &transport.Dialer{OnChange: metrics.LogEnds(slog.Default())}
//
// A connection that this process has ended, because its peer or its last path
// was dead, is a warning; everything else is level Info. The attributes are id,
// role, local, remote, status, reason (if there is one), lasted, and dialed, the
// duration of the dial, for those that were; subflows, sent and received (bytes)
// are there while Multipath TCP carries the connection, if the kernel has told
// them, and are as of the last look: what came after it, in the last fraction of
// a second, is not in them, and a connection that ended before the first look
// has none. Unlike a metric, a line has addresses.
func LogEnds(logger *slog.Logger) func(c *transport.Connection, from, to mptcp.Status) {
	if logger == nil {
		return nil
	}
	// The calls come from one goroutine. A connection that is dead has no
	// numbers any more when it is closed: these are the last that it had.
	dead := make(map[uint64]mptcp.Status)
	return func(c *transport.Connection, from, to mptcp.Status) {
		if !c.Last() {
			if to.State != mptcp.Unknown {
				delete(dead, c.ID()) // it lives, perhaps again
				return
			}
			for _, s := range []mptcp.Status{from, to} {
				if _, _, ok := s.Bytes(); ok {
					dead[c.ID()] = s
				}
			}
			return
		}
		numbers, ok := dead[c.ID()]
		if delete(dead, c.ID()); !ok {
			numbers = from // those of to, unless that is news
		}
		level := slog.LevelInfo
		if to.Reason == mptcp.ReasonNoSubflow || to.Reason == mptcp.ReasonUnacknowledged {
			level = slog.LevelWarn
		}
		ctx := context.Background()
		if !logger.Enabled(ctx, level) {
			return
		}
		attrs := []slog.Attr{
			slog.Uint64("id", c.ID()),
			slog.String("role", c.Role().String()),
			slog.String("local", c.LocalAddr().String()),
			slog.String("remote", c.RemoteAddr().String()),
			slog.String("status", to.State.String()),
		}
		if to.Reason != mptcp.ReasonUnknown {
			attrs = append(attrs, slog.String("reason", to.Reason.String()))
		}
		attrs = append(attrs, slog.Duration("lasted", time.Since(c.Opened()).Round(time.Millisecond)))
		if d, ok := c.Dial(); ok {
			attrs = append(attrs, slog.Duration("dialed", d.Duration))
		}
		if n, ok := numbers.Subflows(); ok && to.State == mptcp.Multipath {
			attrs = append(attrs, slog.Int("subflows", n))
		}
		if sent, received, ok := numbers.Bytes(); ok && to.State != mptcp.Fallback {
			attrs = append(attrs, slog.Uint64("sent", sent), slog.Uint64("received", received))
		}
		logger.LogAttrs(ctx, level, "connection ended", attrs...)
	}
}
