package carrier

import (
	"sync"

	"github.com/emiago/sipgo/sip"
)

// Ring is a call of the site's at one of the carrier's subscribers, who has heard
// it ring and has not decided yet.
type Ring struct {
	// From is the number the subscriber sees, Node the host:port that called.
	From, Node string

	call    *Call
	req     *sip.Request
	tx      sip.ServerTransaction
	gone    chan struct{} // cancelled
	decided chan struct{}
	once    sync.Once
}

// Expect lets a subscriber's telephone ring from now on: each call to the number
// comes out of the channel. Other numbers do not exist.
func (c *Carrier) Expect(number string) <-chan *Ring {
	rings := make(chan *Ring, 8)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subscribers == nil {
		c.subscribers = map[string]chan *Ring{}
	}
	c.subscribers[number] = rings
	return rings
}

// called takes an INVITE that opens a call; it returns when that is decided.
func (c *Carrier) called(req *sip.Request, tx sip.ServerTransaction) {
	c.mu.Lock()
	rings := c.subscribers[req.Recipient.User]
	c.mu.Unlock()
	if rings == nil || req.Contact() == nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, 404, "Not Found", nil))
		return
	}
	m, err := newMedia(nil)
	if err != nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, 500, "Server Internal Error", nil))
		return
	}
	req.To().Params.Add("tag", newTag()) // of all responses
	call := &Call{
		c: c, id: req.CallID().Value(), media: m, over: make(chan struct{}), target: req.Contact().Address, cseq: 1,
		from: &sip.FromHeader{Address: req.To().Address, Params: req.To().Params},
		to:   &sip.ToHeader{Address: req.From().Address, Params: req.From().Params},
	}
	r := &Ring{From: req.From().Address.User, Node: req.Source(), call: call, req: req, tx: tx, gone: make(chan struct{}), decided: make(chan struct{})}
	tx.OnCancel(func(*sip.Request) { r.decide(func() { close(r.gone); call.close() }) }) // sipgo answers both
	if tx.Respond(sip.NewResponseFromRequest(req, 180, "Ringing", nil)) != nil {
		call.close()
		return
	}
	select {
	case rings <- r:
		select {
		case <-r.decided:
		case <-tx.Done():
		}
	default:
		r.Refuse(486, "Busy Here")
	}
}

func (r *Ring) decide(how func()) {
	r.once.Do(func() {
		how()
		close(r.decided)
	})
}

// Gone is closed when the caller gave up (CANCEL).
func (r *Ring) Gone() <-chan struct{} { return r.gone }

// Refuse answers with a final status.
func (r *Ring) Refuse(status int, reason string) {
	r.decide(func() {
		_ = r.tx.Respond(sip.NewResponseFromRequest(r.req, status, reason, nil))
		r.call.close()
	})
}

// Speak lets the network say something before the answer (183, early media).
func (r *Ring) Speak(audio []byte) error {
	r.call.Say(audio)
	if err := r.call.media.start(r.req.Body()); err != nil {
		return err
	}
	return r.tx.Respond(r.withMedia(183, "Session Progress"))
}

// Answer answers; audio is said in a loop.
func (r *Ring) Answer(audio []byte) (call *Call, err error) {
	err = sip.ErrTransactionCanceled
	r.decide(func() {
		call = r.call
		call.Say(audio)
		call.c.mu.Lock()
		call.c.calls[call.id] = call
		call.c.mu.Unlock()
		if err = call.media.start(r.req.Body()); err == nil {
			err = r.tx.Respond(r.withMedia(200, "OK"))
		}
	})
	return call, err
}

func (r *Ring) withMedia(status int, reason string) *sip.Response {
	res := sip.NewResponseFromRequest(r.req, status, reason, r.call.media.sdp())
	res.AppendHeader(r.call.contact())
	res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	return res
}
