package carrier

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Call is one answered call as the carrier's subscriber lives through it.
type Call struct {
	c      *Carrier
	id     string
	media  *media
	over   chan struct{}
	closed sync.Once

	mu     sync.Mutex
	from   *sip.FromHeader
	to     *sip.ToHeader
	cseq   uint32
	target sip.Uri
	moves  int
}

func newCall(c *Carrier, d Dial) (*Call, error) {
	m, err := newMedia(d.Audio)
	if err != nil {
		return nil, err
	}
	params := sip.NewParams()
	params.Add("tag", newTag())
	return &Call{
		c: c, id: newCallID(), media: m, over: make(chan struct{}),
		from: &sip.FromHeader{Address: sip.Uri{User: d.From, Host: c.host, Port: c.port}, Params: params},
		to:   &sip.ToHeader{Address: sip.Uri{User: d.To, Host: c.host}, Params: sip.NewParams()},
	}, nil
}

func (c *Call) contact() *sip.ContactHeader {
	return &sip.ContactHeader{Address: sip.Uri{Host: c.c.host, Port: c.c.port}}
}

// build makes a request within the call's dialog.
func (c *Call) build(method sip.RequestMethod) *sip.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	req := sip.NewRequest(method, c.target)
	id := sip.CallIDHeader(c.id)
	if method != sip.ACK {
		c.cseq++
	}
	max := sip.MaxForwardsHeader(70)
	req.AppendHeader(c.from)
	req.AppendHeader(c.to)
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: c.cseq, MethodName: method})
	req.AppendHeader(&max)
	req.AppendHeader(c.contact())
	req.SetTransport("UDP")
	req.SetDestination(net.JoinHostPort(c.target.Host, strconv.Itoa(c.target.Port)))
	return req
}

func (c *Call) invite(ctx context.Context, d Dial) error {
	host, portText, err := net.SplitHostPort(d.Node)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return err
	}
	c.target = sip.Uri{User: d.To, Host: host, Port: port}
	req := c.build(sip.INVITE)
	req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	req.SetBody(c.media.sdp())
	res, err := c.c.request(ctx, req)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		e := &StatusError{Status: int(res.StatusCode), Reason: res.Reason}
		if h := res.GetHeader("Retry-After"); h != nil {
			e.RetryAfter = h.Value()
		}
		return e
	}
	c.mu.Lock()
	if contact := res.Contact(); contact != nil {
		c.target = contact.Address
	}
	c.to = res.To()
	c.mu.Unlock()
	ack := c.build(sip.ACK)
	ack.Laddr = sip.Addr{IP: net.ParseIP(c.c.host), Port: c.c.port}
	if err := c.c.client.WriteRequest(ack); err != nil {
		return fmt.Errorf("ACK: %w", err)
	}
	return c.media.start(res.Body())
}

// follow takes the new target and media address of a re-INVITE.
func (c *Call) follow(req *sip.Request) error {
	c.mu.Lock()
	if contact := req.Contact(); contact != nil {
		c.target = contact.Address
	}
	c.moves++
	c.mu.Unlock()
	if len(req.Body()) == 0 {
		return nil
	}
	return c.media.retarget(req.Body())
}

// Moves counts re-INVITEs that were followed.
func (c *Call) Moves() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.moves
}

// ID is the SIP Call-ID.
func (c *Call) ID() string { return c.id }

// Done is closed when the call is over, whoever ended it.
func (c *Call) Done() <-chan struct{} { return c.over }

// Hangup sends BYE.
func (c *Call) Hangup(ctx context.Context) {
	select {
	case <-c.over:
		return
	default:
	}
	_, _ = c.c.request(ctx, c.build(sip.BYE))
	c.c.forget(c)
}

// Press sends keys as RFC 4733 events.
func (c *Call) Press(keys string) { c.media.press(keys) }

// Say says something else in a loop from the next packet on; the channel gets
// the time when that was sent.
func (c *Call) Say(audio []byte) <-chan time.Time { return c.media.say(audio) }

// Heard is what came in so far.
func (c *Call) Heard() Heard { return c.media.heard() }

func (c *Call) close() {
	c.closed.Do(func() {
		c.media.stop()
		close(c.over)
	})
}
