package sip

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSocketsOnAllAddresses: requests of ours leave from the socket peers know,
// also when that is bound to a wildcard address.
func TestSocketsOnAllAddresses(t *testing.T) {
	for _, bind := range []string{"0.0.0.0:0", "[::]:0"} {
		t.Run(bind, func(t *testing.T) {
			pc, err := net.ListenPacket("udp", bind)
			if err != nil {
				t.Skip(err)
			}
			ev := newEvents()
			handler, legs := answeringHandler(t, ev.Events)
			port := pc.LocalAddr().(*net.UDPAddr).Port
			at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			startUA(t, handler, func(cfg *Config) {
				_ = cfg.UDP.Close()
				cfg.UDP, cfg.Advertised = pc, at
			})
			p := newPeer(t, at)
			p.call()
			ev.want(t, "acked")
			take(t, legs).Hangup("done")
			if p.answer("BYE", 200, ""); p.to.Port() != uint16(port) {
				t.Errorf("BYE came from %v", p.to)
			}
		})
	}
}

// TestConnectionOfThePeerIsUsed: a peer behind a firewall can not be reached
// at its Contact, but its connection is there.
func TestConnectionOfThePeerIsUsed(t *testing.T) {
	ev := newEvents()
	handler, legs := answeringHandler(t, ev.Events)
	ua := startUA(t, handler, nil)
	p := newTCPPeer(t, ua.addr())
	p.contact = "127.0.0.1:1" // listed, but nobody listens
	p.call()
	l := take(t, legs)
	ev.want(t, "acked")
	l.Hangup("done")
	p.answer("BYE", 200, "")
}

// TestStopLeavesCallsToOthers: no BYE, no event, ports closed.
func TestStopLeavesCallsToOthers(t *testing.T) {
	ev := newEvents()
	handler, legs := answeringHandler(t, ev.Events)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	p.call()
	l := take(t, legs)
	ev.want(t, "acked")
	stopUA(t, ua)
	stopUA(t, ua) // once more is no error
	if _, err := l.Port().ReadRTP(make([]byte, 10)); err == nil {
		t.Error("media port is open")
	}
	<-l.Done()
	l.Hangup("late") // nothing happens
	ev.none(t)
	_ = p.udp.SetReadDeadline(time.Now())
	buf := make([]byte, 2000)
	for {
		n, _, err := p.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			break
		}
		if m := parseMessage(t, buf[:n]); m.status() == 0 {
			t.Errorf("the peer got %q", m.first)
		}
	}
	if _, err := ua.Dial(context.Background(), Outgoing{Trunks: []Trunk{trunkTo(p.local(), "udp")}, To: "1"}, Events{}); err == nil {
		t.Error("dialled after Stop")
	}
	_, err := New(Config{UDP: ua.cfg.UDP, Trunks: ua.cfg.Trunks, Advertised: "x:y"}, handlerFunc(nil))
	if err == nil || !strings.Contains(err.Error(), "advertised") {
		t.Errorf("%v", err)
	}
}
