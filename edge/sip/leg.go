package sip

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"trunkline/edge/media"
)

// Leg is one dialog with its media port. All methods may be called from any
// goroutine, also from events. What happens to it is done under its lock and
// never waits; what it reports goes through a mailbox.
//
//	          Answer            ACK             BYE, Hangup, no refresh
//	early ------------> accepted ---> confirmed -------------------> ended
//	  | CANCEL, Reject      | no ACK: BYE            ^
//	  +---------------------+------------------------+
//	                        | Hangup: closing, BYE follows the ACK (RFC 3261 15)
type Leg struct {
	ua    *UA
	trunk Trunk
	ev    Events
	inv   *invite  // nil for legs of Restore and Call
	out   *placing // of legs of Call
	port  *media.UDPPort
	box   mailbox
	over  context.Context // done when the leg has ended
	end   context.CancelFunc

	mu       sync.Mutex
	state    state
	d        *dialog
	await    *awaiting   // the answer that has no ACK yet
	pending  bool        // an INVITE of ours is on its way
	expiry   *time.Timer // of the session (RFC 4028): our refresh, or the end
	watched  int         // how often expiry was started anew
	lastSDP  string      // our description as last sent
	quitting string      // cause of the Hangup that waits for the ACK
}

type state uint8

const (
	early state = iota
	accepted
	closing
	confirmed
	ended
)

func (ua *UA) newLeg(trunk Trunk, d *dialog, port *media.UDPPort, ev Events) *Leg {
	l := &Leg{ua: ua, trunk: trunk, ev: ev, port: port, d: d}
	l.box.group = &ua.running
	l.over, l.end = context.WithCancel(context.Background())
	return l
}

// ID is the same on every node that has the dialog.
func (l *Leg) ID() string { return l.d.LocalTag } // never changes

// SIPCallID is the dialog's Call-ID.
func (l *Leg) SIPCallID() string { return l.d.CallID } // never changes

// TrunkID is the trunk the call came or went by.
func (l *Leg) TrunkID() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trunk.ID
}

// Port is where the leg's audio comes and goes; its remote address is kept up
// to date by the leg. It closes with the leg.
func (l *Leg) Port() media.Port { return l.port }

// Format is what is spoken now.
func (l *Leg) Format() Format {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.d.Session.format()
}

// Direction is ours: recvonly and inactive mean that the peer holds.
func (l *Leg) Direction() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.d.Session.Direction
}

// Snapshot is what Restore needs.
func (l *Leg) Snapshot() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.d.encode()
}

// Done is closed when the leg has ended, for whatever reason: who begins to
// listen to events late can see that the last one is over.
func (l *Leg) Done() <-chan struct{} { return l.over.Done() }

// Ring sends 180 while the call is not answered.
func (l *Leg) Ring() {
	if l.inv != nil {
		l.inv.ring()
	}
}

// Answer sends 200 and sees to its repetition until the ACK; Acked or Failed
// follows. With an error the leg has ended, or was answered before
// (ErrDecided).
func (l *Leg) Answer() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.state == ended:
		return ErrEnded
	case l.state != early || l.inv == nil:
		return ErrDecided
	}
	late := len(l.inv.req.Body()) == 0
	res := l.answer(l.inv.req, late)
	l.sessionTimer(l.inv.req, res)
	if err := l.inv.respond(res); err != nil {
		if errors.Is(err, ErrCancelled) || errors.Is(err, ErrDecided) {
			return err // its event is on the way
		}
		l.finish(nil)
		return errors.Join(ErrTransport, err)
	}
	l.state = accepted
	l.awaitAck(l.inv.tx, res, late)
	return nil
}

// Reject answers the INVITE with a final status instead; no event follows.
// After the answer it hangs up.
func (l *Leg) Reject(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != early || l.inv == nil {
		l.hangup("rejected")
		return
	}
	_ = l.inv.refuse(status) // or the caller gave up: the leg ends all the same
	l.finish(nil)
}

// Hangup ends the call whatever its state; no event follows. cause is written
// into the Reason header. The BYE is repeated in the background.
func (l *Leg) Hangup(cause string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hangup(cause)
}

func (l *Leg) hangup(cause string) {
	switch l.state {
	case early:
		if l.inv != nil {
			_ = l.inv.refuse(sip.StatusTemporarilyUnavailable)
		} // else place hears of the end and cancels
		l.finish(nil)
	case accepted:
		// BYE must wait for the ACK, the caller of Hangup must not.
		l.state, l.quitting = closing, cause
		l.box.close()
		_ = l.port.Close()
	case confirmed:
		l.bye(cause)
		l.finish(nil)
	case closing, ended:
	}
}

// Abandon forgets the leg without a word to the peer: another node has it.
func (l *Leg) Abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == early {
		l.unanswered()
	}
	l.finish(nil)
}

// unanswered leaves a call that is not up. What we placed is cancelled, with
// the one datagram there may be time for: nobody could go on with it.
func (l *Leg) unanswered() {
	if l.inv != nil {
		l.inv.abandon()
		return
	}
	if a := l.out.now; a != nil && a.provisional {
		_ = l.ua.write(cancelOf(a.req))
	}
}

// cancelled: the caller gave up; 487 is sent.
func (l *Leg) cancelled(why Reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == early {
		l.finish(told(l.ev.Cancelled, why))
	}
}

// told is an event with the peer's reason; nil when nobody is to hear it.
func told(event func(Reason), why Reason) func() {
	if event == nil {
		return nil
	}
	return func() { event(why) }
}

// fail ends a leg that can not go on.
func (l *Leg) fail(err error) {
	l.finish(func() {
		if l.ev.Failed != nil {
			l.ev.Failed(err)
		}
	})
}

// finish ends the leg; last is its last event, nil when nobody is to hear.
func (l *Leg) finish(last func()) {
	if l.state == ended {
		return
	}
	heard := l.state != closing && last != nil
	l.state = ended
	l.end()
	if l.await != nil {
		l.await.timer.Stop()
		l.await = nil
	}
	if l.expiry != nil {
		l.expiry.Stop()
	}
	l.ua.forget(l)
	if !heard {
		l.box.close()
		_ = l.port.Close()
		return
	}
	l.box.last(func() {
		last()
		_ = l.port.Close()
	})
}

// emit queues an event.
func (l *Leg) emit(event func()) {
	if event != nil {
		l.box.post(event)
	}
}

func (l *Leg) dialogChanged() {
	if l.ev.DialogChanged == nil {
		return
	}
	snapshot := l.d.encode()
	l.emit(func() { l.ev.DialogChanged(snapshot) })
}

func (l *Leg) mediaChanged() {
	if l.ev.MediaChanged == nil {
		return
	}
	f, direction := l.d.Session.format(), l.d.Session.Direction
	l.emit(func() { l.ev.MediaChanged(f, direction) })
}

// bye sends BYE and does not wait for its answer: whatever it is, the call is
// over.
func (l *Leg) bye(cause string) {
	req, err := l.d.request(sip.BYE, l.d.nextSeq())
	if err != nil {
		l.ua.log.Warn("sip BYE not sent", "sip_call_id", l.d.CallID, "error", err)
		return
	}
	req.AppendHeader(sip.NewHeader("Reason", Reason{Protocol: "Q.850", Cause: 16, Text: cause}.String()))
	l.ua.sendAlone(req, l.hop())
}
