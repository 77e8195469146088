package sip

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"trunkline/edge/media"
)

func trunkTo(addr, transport string) Trunk {
	return Trunk{ID: "out", Target: addr, Transport: transport, Allowed: []netip.Prefix{loopback}}
}

func TestTwoNodesCallEachOther(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			evA, evB := newEvents(), newEvents()
			incoming := make(chan *Incoming, 1)
			legs := make(chan *Leg, 1)
			b := startUA(t, func(in *Incoming) {
				incoming <- in
				l, err := in.Prepare(evB.Events())
				if err != nil {
					t.Error(err)
					return
				}
				l.Ring()
				if err := l.Answer(); err != nil {
					t.Error(err)
				}
				legs <- l
			}, nil)
			a := startUA(t, nil, nil)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			la, err := a.Dial(ctx, Outgoing{Trunks: []Trunk{trunkTo(b.addr(), transport)}, From: "+4930111", FromName: `Ann "A"`, To: "+4989222"}, evA.Events())
			if err != nil {
				t.Fatal(err)
			}
			in, lb := take(t, incoming), take(t, legs)
			if in.Caller != "+4930111" || in.Called != "+4989222" || in.CallerName != "Ann A" {
				t.Errorf("incoming %+v", in)
			}
			evB.want(t, "acked")
			if la.Format() != lb.Format() || la.Direction() != SendRecv {
				t.Errorf("formats %+v, %+v", la.Format(), lb.Format())
			}
			roundTrip(t, la.Port(), lb.Port())
			roundTrip(t, lb.Port(), la.Port())

			// The caller's side dies; another node goes on with it.
			c := startUA(t, nil, nil)
			snapshot := la.Snapshot()
			stopUA(t, a)
			lc, err := c.Restore(ctx, snapshot, evA.Events())
			if err != nil {
				t.Fatal(err)
			}
			evB.want(t, "media PCMU sendrecv", "dialog")
			roundTrip(t, lc.Port(), lb.Port())
			roundTrip(t, lb.Port(), lc.Port())
			lb.Hangup("done")
			for e := ""; e != `bye Q.850;cause=16;text="done"`; {
				e = take(t, evA.ch)
			}
			if a.Legs()+b.Legs()+c.Legs() != 0 {
				t.Errorf("legs left: %d %d %d", a.Legs(), b.Legs(), c.Legs())
			}
		})
	}
}

// roundTrip sends one RTP packet from one port to the other.
func roundTrip(t *testing.T, from, to media.Port) {
	t.Helper()
	pkt := append([]byte{0x80, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}, make([]byte, 160)...)
	got := make(chan int, 1)
	go func() {
		n, _ := to.ReadRTP(make([]byte, 1500))
		got <- n
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		if err := from.WriteRTP(pkt); err != nil {
			t.Fatal(err)
		}
		select {
		case n := <-got:
			if n != len(pkt) {
				t.Errorf("%d bytes", n)
			}
			return
		case <-deadline:
			t.Fatal("no audio")
		case <-tick.C: // lost, or the port still waits for its peer to be known
		}
	}
}

func TestDialIsRefused(t *testing.T) {
	b := startUA(t, func(in *Incoming) { in.Refuse(486, "") }, nil)
	a := startUA(t, nil, nil)
	_, err := a.Dial(t.Context(), Outgoing{Trunks: []Trunk{trunkTo(b.addr(), "udp")}, To: "+491"}, Events{})
	var status *StatusError
	if !errors.As(err, &status) || status.Status != 486 {
		t.Errorf("%v", err)
	}
	if _, err := a.Dial(t.Context(), Outgoing{Trunks: []Trunk{trunkTo("no such host:5060", "udp")}, To: "+491"}, Events{}); !errors.Is(err, ErrTransport) {
		t.Errorf("%v", err)
	}
	a.Drain()
	if _, err := a.Dial(t.Context(), Outgoing{Trunks: []Trunk{trunkTo(b.addr(), "udp")}, To: "+491"}, Events{}); !errors.Is(err, ErrStopped) {
		t.Errorf("%v", err)
	}
}

func TestDialIsCancelledWhileItRings(t *testing.T) {
	evA, evB := newEvents(), newEvents()
	b := startUA(t, func(in *Incoming) {
		l, err := in.Prepare(evB.Events())
		if err != nil {
			t.Error(err)
			return
		}
		l.Ring()
	}, nil)
	a := startUA(t, nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := a.Dial(ctx, Outgoing{Trunks: []Trunk{trunkTo(b.addr(), "udp")}, To: "+491"}, evA.Events())
		failed <- err
	}()
	evA.want(t, "ringing")
	cancel()
	if err := take(t, failed); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	evB.want(t, "cancelled")
	if a.Legs()+b.Legs() != 0 {
		t.Errorf("legs left: %d %d", a.Legs(), b.Legs())
	}
}

func TestDialAnsweredAfterItWasGivenUp(t *testing.T) {
	a := startUA(t, nil, nil)
	p := newPeer(t, a.addr())
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := a.Dial(ctx, Outgoing{Trunks: []Trunk{trunkTo(p.local(), "udp")}, To: "+491"}, Events{})
		failed <- err
	}()
	inv := p.next()
	cancel()
	if err := take(t, failed); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	// No CANCEL before a provisional answer; the final one comes instead.
	inv.header["to"][0] += ";tag=late"
	p.respond(inv, 200, p.sdp())
	if m := p.next(); m.method() != "ACK" {
		t.Errorf("got %q", m.first)
	}
	p.answer("BYE", 200, "")
}
