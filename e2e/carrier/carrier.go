// Package carrier is a simulated telephone carrier: a SIP user agent that places
// calls to a site's nodes, speaks recorded audio, presses keys, listens to what
// it hears, and follows a call to another node when it is re-INVITEd from there.
package carrier

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"
)

// Carrier is the carrier's side of a trunk: one UDP address.
type Carrier struct {
	ua     *sipgo.UserAgent
	client *sipgo.Client
	server *sipgo.Server
	conn   net.PacketConn
	host   string
	port   int

	mu          sync.Mutex
	calls       map[string]*Call      // by Call-ID
	subscribers map[string]chan *Ring // by number
}

// Start listens on a loopback address.
func Start(addr string) (*Carrier, error) {
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, err
	}
	local := netip.MustParseAddrPort(conn.LocalAddr().String())
	c := &Carrier{conn: conn, host: local.Addr().String(), port: int(local.Port()), calls: map[string]*Call{}}
	if c.ua, err = sipgo.NewUA(sipgo.WithUserAgent("carrier")); err != nil {
		return nil, err
	}
	if c.client, err = sipgo.NewClient(c.ua, sipgo.WithClientHostname(c.host), sipgo.WithClientPort(c.port)); err != nil {
		return nil, err
	}
	if c.server, err = sipgo.NewServer(c.ua); err != nil {
		return nil, err
	}
	c.server.OnInvite(c.reinvited)
	c.server.OnBye(c.hungUp)
	c.server.OnAck(func(*sip.Request, sip.ServerTransaction) {})
	c.server.OnOptions(func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
	})
	go func() { _ = c.server.ServeUDP(conn) }()
	return c, nil
}

// Addr is host:port.
func (c *Carrier) Addr() string { return net.JoinHostPort(c.host, strconv.Itoa(c.port)) }

// Stop hangs up and closes the socket.
func (c *Carrier) Stop() {
	c.mu.Lock()
	calls := make([]*Call, 0, len(c.calls))
	for _, call := range c.calls {
		calls = append(calls, call)
	}
	c.mu.Unlock()
	for _, call := range calls {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		call.Hangup(ctx)
		cancel()
	}
	_ = c.server.Close()
	_ = c.client.Close()
	_ = c.ua.Close()
	_ = c.conn.Close()
}

// Dial says what to call and what to say.
type Dial struct {
	Node     string // host:port of the node
	From, To string // E.164
	// Audio is said in a loop: 8 kHz u-law; nil is silence.
	Audio []byte
}

// StatusError is a final answer other than 2xx.
type StatusError struct {
	Status     int
	Reason     string
	RetryAfter string
}

func (e *StatusError) Error() string { return fmt.Sprintf("answered %d %s", e.Status, e.Reason) }

// Call places a call and returns when it is answered.
func (c *Carrier) Call(ctx context.Context, d Dial) (*Call, error) {
	call, err := newCall(c, d)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.calls[call.id] = call
	c.mu.Unlock()
	if err := call.invite(ctx, d); err != nil {
		c.forget(call)
		return nil, err
	}
	return call, nil
}

func (c *Carrier) forget(call *Call) {
	c.mu.Lock()
	delete(c.calls, call.id)
	c.mu.Unlock()
	call.close()
}

func (c *Carrier) find(req *sip.Request) *Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	if req.CallID() == nil {
		return nil
	}
	return c.calls[req.CallID().Value()]
}

// reinvited follows a call to the address the offer names; an INVITE without a tag
// of ours is a call to one of the carrier's subscribers.
func (c *Carrier) reinvited(req *sip.Request, tx sip.ServerTransaction) {
	if !req.To().Params.Has("tag") {
		c.called(req, tx)
		return
	}
	call := c.find(req)
	if call == nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, 481, "Call/Transaction Does Not Exist", nil))
		return
	}
	if err := call.follow(req); err != nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, 488, "Not Acceptable Here", nil))
		return
	}
	res := sip.NewResponseFromRequest(req, 200, "OK", call.media.sdp())
	res.AppendHeader(call.contact())
	res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	_ = tx.Respond(res)
}

func (c *Carrier) hungUp(req *sip.Request, tx sip.ServerTransaction) {
	call := c.find(req)
	if call == nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, 481, "Call/Transaction Does Not Exist", nil))
		return
	}
	_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
	c.forget(call)
}

// request sends a request from the carrier's one socket and waits for the
// final answer.
func (c *Carrier) request(ctx context.Context, req *sip.Request) (*sip.Response, error) {
	req.Laddr = sip.Addr{IP: net.ParseIP(c.host), Port: c.port}
	tx, err := c.client.TransactionRequest(ctx, req)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if res.StatusCode >= 200 {
				return res, nil
			}
		case <-tx.Done():
			return nil, fmt.Errorf("%s: %w", req.Method, tx.Err())
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func newTag() string { return strconv.FormatUint(rand.Uint64(), 36) }

func newCallID() string { return uuid.NewString() }
