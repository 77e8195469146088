package sip

import "github.com/emiago/sipgo/sip"

// forks are the tags of others who answered a call of ours that somebody had
// answered already: a proxy rang several and two were quick (RFC 3261
// 13.2.2.4). Only sipgo's goroutine of the transaction uses it.
type forks struct{ seen []string }

const maxForks = 16

// first tells whether a tag is new and shall be ended.
func (f *forks) first(tag string) bool {
	for _, s := range f.seen {
		if s == tag {
			return false
		}
	}
	if len(f.seen) >= maxForks {
		return false
	}
	f.seen = append(f.seen, tag)
	return true
}

// endFork acknowledges another one's 2xx and hangs up on it. Its repetitions
// end with the ACK, or with the BYE.
func (ua *UA) endFork(d *dialog, res *sip.Response, h hop, seq uint32) {
	d.established(res)
	ua.running.Go(func() {
		ack, err := d.request(sip.ACK, seq)
		if err != nil || ua.prepareRequest(ua.ctx, ack, h) != nil || ua.write(ack) != nil {
			return
		}
		d.LocalSeq = max(d.LocalSeq, seq)
		if bye, err := d.request(sip.BYE, d.nextSeq()); err == nil {
			ua.sendAlone(bye, h)
		}
	})
}
