package sip

import (
	"strings"
	"testing"

	"trunkline/edge/media"
)

func TestCallIsAnsweredAndHungUp(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		for _, by := range []string{"caller", "node"} {
			t.Run(transport+" by "+by, func(t *testing.T) {
				ev := newEvents()
				handler, legs := answeringHandler(t, ev.Events)
				ua := startUA(t, handler, nil)
				p := newPeer(t, ua.addr())
				if transport == "tcp" {
					p = newTCPPeer(t, ua.addr())
				}
				ok := p.call()
				l := take(t, legs)
				ev.want(t, "acked")
				if got := l.Format(); got.Codec != media.PCMA || got.PayloadType != 8 || got.DTMFType != 101 {
					t.Errorf("format %+v", got)
				}
				if !strings.Contains(ok.body, "m=audio") || !strings.Contains(ok.body, "RTP/AVP 8 101\r\n") {
					t.Errorf("answer %s", ok.body)
				}
				if !strings.Contains(ok.get("Contact"), ua.addr()) {
					t.Errorf("contact %q", ok.get("Contact"))
				}
				if by == "caller" {
					p.send("BYE", "")
					p.status(200)
					ev.want(t, "bye")
				} else {
					l.Hangup("agent_hung_up")
					bye := p.answer("BYE", 200, "")
					if !strings.Contains(bye.get("Reason"), "agent_hung_up") || bye.get("To") != p.from {
						t.Errorf("bye %+v", bye)
					}
				}
				if n := ua.Legs(); n != 0 {
					t.Errorf("%d legs left", n)
				}
				ev.none(t)
			})
		}
	}
}
