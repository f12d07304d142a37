package mptcpz

import (
	"testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

// TestBrief: connections that no sample shows are counted, and those that some
// sample shows are not.
func TestBrief(t *testing.T) {
	s := newSampler()
	newEvents(s)
	for _, c := range []struct {
		listener transport.Mode
		want     string
	}{
		{transport.Prefer, "2 connections were opened and ended between two looks: 2 multipath."},
		{transport.Off, "2 connections were opened and ended between two looks: 1 tcp (not-requested), 1 fallback (not-answered)."},
	} {
		client, server := pair(t, c.listener)
		client.Close()
		server.Close()
		pair(t, transport.Prefer) // is seen
		var got []event
		for _, e := range newEvents(s) {
			if e.Kind == "brief" {
				got = append(got, e)
			}
		}
		if len(got) != 1 || got[0].Text != c.want {
			t.Errorf("%+v, want %q", got, c.want)
		}
		for _, e := range newEvents(s) {
			t.Errorf("nothing happened: %+v", e)
		}
	}
}

// TestBriefBalance: a connection may be seen before it is counted, and be
// something else than when it was opened.
func TestBriefBalance(t *testing.T) {
	client, _ := pair(t, transport.Prefer)
	seen := row{c: transport.Lookup(client.LocalAddr()), id: 7, state: mptcp.Multipath}
	fallen := seen
	fallen.state = mptcp.Fallback
	counted := func(n uint64) (o openings) {
		o[0][mptcp.Multipath][0] = n
		return o
	}
	var b brief
	before := &sample{}
	for i, c := range []struct {
		rows    []row
		counted uint64
		want    string
	}{
		{[]row{seen}, 0, ""}, // not counted yet
		{[]row{seen}, 1, ""}, // now it is
		{[]row{seen}, 2, "1 connection was opened and ended between two looks: multipath."},
		{nil, 2, ""},
		{[]row{fallen}, 3, ""}, // it was multipath when it was opened
		{nil, 4, "1 connection was opened and ended between two looks: multipath."},
		{[]row{fallen}, 6, "1 connection was opened and ended between two looks."}, // and what it was is not known
		{[]row{fallen}, 8, "2 connections were opened and ended between two looks: 2 multipath."},
	} {
		now := &sample{rows: c.rows, opened: counted(c.counted)}
		text, found := b.follow(before, now)
		if text != c.want || found != (c.want != "") {
			t.Errorf("%d: %q, want %q", i, text, c.want)
		}
		before = now
	}
}
