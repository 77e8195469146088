package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/emiago/sipgo/sip"
)

// prepareRequest gives a request what depends on this node: Via with a fresh
// branch, the local socket (sipgo would take an ephemeral one, whose answers
// are lost) and for TCP an open connection.
func (ua *UA) prepareRequest(ctx context.Context, req *sip.Request, h hop) error {
	to, err := ua.reach(ctx, h)
	if err != nil {
		return err
	}
	if h.transport == udp {
		req.Laddr = ua.udpLocal
	}
	via := &sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: h.transport, Host: ua.host, Port: ua.port}
	via.Params.Add("branch", sip.GenerateBranch())
	via.Params.Add("rport", "")
	req.PrependHeader(via)
	req.AppendHeader(sip.NewHeader("User-Agent", product))
	if req.Body() == nil {
		req.SetBody(nil)
	}
	req.SetTransport(h.transport)
	req.SetDestination(to.String())
	return nil
}

// reach gives the address to send to, over TCP with a connection that is open:
// the peer's own while it lasts (a firewall lets it pass), else a new one.
func (ua *UA) reach(ctx context.Context, h hop) (netip.AddrPort, error) {
	if h.transport == tcp && ua.stream.pooled(h.open) {
		return netip.ParseAddrPort(h.open)
	}
	to, err := ua.resolve(ctx, h)
	if err != nil || h.transport != tcp {
		return to, err
	}
	if err := ua.stream.connect(ctx, to); err != nil {
		return to, errors.Join(ErrTransport, err)
	}
	return to, nil
}

// contact is where requests of the peer reach this node.
func (ua *UA) contact(transport string) sip.Header {
	v := "<sip:" + net.JoinHostPort(ua.host, strconv.Itoa(ua.port))
	if transport == tcp {
		v += ";transport=tcp"
	}
	return sip.NewHeader("Contact", v+">")
}

// invoke sends a request and waits for its final response. A 1xx is passed to
// provisional. When ctx ends first the transaction is returned as it is.
func (ua *UA) invoke(ctx context.Context, req *sip.Request, provisional func(*sip.Response)) (*sip.Response, *sip.ClientTx, error) {
	tx, err := ua.begin(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	res, err := ua.final(ctx, tx, provisional)
	return res, tx, err
}

// begin starts a client transaction. After Stop sipgo would open a socket of
// its own for it, so Stop waits for the gate.
func (ua *UA) begin(ctx context.Context, req *sip.Request) (*sip.ClientTx, error) {
	ua.gate.RLock()
	defer ua.gate.RUnlock()
	if ua.ctx.Err() != nil {
		return nil, ErrStopped
	}
	tx, err := ua.tx.Request(ctx, req)
	if err != nil {
		return nil, errors.Join(ErrTransport, err)
	}
	return tx, nil
}

// write sends a message outside of transactions.
func (ua *UA) write(msg sip.Message) error {
	ua.gate.RLock()
	defer ua.gate.RUnlock()
	if ua.ctx.Err() != nil {
		return ErrStopped
	}
	if err := ua.tp.WriteMsg(msg); err != nil {
		return errors.Join(ErrTransport, err)
	}
	return nil
}

func (ua *UA) final(ctx context.Context, tx *sip.ClientTx, provisional func(*sip.Response)) (*sip.Response, error) {
	method := string(tx.Origin().Method)
	for {
		select {
		case res := <-tx.Responses():
			if res.IsProvisional() {
				if provisional != nil {
					provisional(res)
				}
				continue
			}
			ua.metrics.answered(method, res.StatusCode)
			if method != "INVITE" {
				tx.Terminate()
			}
			return res, nil
		case <-tx.Done():
			ua.metrics.answered(method, sip.StatusRequestTimeout)
			if err := tx.Err(); errors.Is(err, sip.ErrTransactionTransport) {
				return nil, errors.Join(ErrTransport, err)
			}
			return nil, &StatusError{Status: sip.StatusRequestTimeout, Text: "no response"}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// ask sends a request until it is not challenged any more. build makes it, each
// time with the next CSeq.
func (ua *UA) ask(ctx context.Context, h hop, build func() (*sip.Request, error)) (*sip.Response, *sip.ClientTx, error) {
	auth := authorizer{username: h.trunk.Username, password: h.trunk.Password}
	for {
		req, err := build()
		if err == nil {
			err = auth.authorize(req)
		}
		if err == nil {
			err = ua.prepareRequest(ctx, req, h)
		}
		if err != nil {
			return nil, nil, err
		}
		res, tx, err := ua.invoke(ctx, req, nil)
		if err != nil || !auth.learn(res) {
			return res, tx, err
		}
	}
}

// sendAlone sends the last request of a dialog, whose answer changes nothing,
// in the background.
func (ua *UA) sendAlone(req *sip.Request, h hop) {
	ua.running.Go(func() {
		ctx, cancel := context.WithTimeout(ua.ctx, 64*ua.time.t1)
		defer cancel()
		seq := req.CSeq().SeqNo - 1
		_, tx, err := ua.ask(ctx, h, func() (*sip.Request, error) {
			seq++
			return repeated(req, seq), nil
		})
		if err != nil {
			ua.log.Debug("sip request without answer", "method", req.Method, "error", err)
			if tx != nil {
				tx.Terminate()
			}
		}
	})
}

// repeated is a copy of a request under another CSeq, before it is prepared.
func repeated(req *sip.Request, seq uint32) *sip.Request {
	again := req.Clone()
	again.CSeq().SeqNo = seq
	return again
}

// acknowledge sends the ACK of a 2xx (its own transaction, RFC 3261 13.2.2.4)
// and again each time the 2xx is repeated.
func (ua *UA) acknowledge(ctx context.Context, d *dialog, h hop, tx *sip.ClientTx, seq uint32) error {
	ack, err := d.request(sip.ACK, seq)
	if err != nil {
		return err
	}
	if err := ua.prepareRequest(ctx, ack, h); err != nil {
		return err
	}
	for _, name := range [...]string{"authorization", "proxy-authorization"} {
		sip.CopyHeaders(name, tx.Origin(), ack) // RFC 3261 13.2.2.4
	}
	tag := d.RemoteTag
	var forks forks
	tx.OnRetransmission(func(res *sip.Response) {
		if other := tagOf(res.To().Params); other == tag {
			_ = ua.write(ack) // repeated again if it is lost again
		} else if forks.first(other) {
			ua.endFork(d.copy(), res, h, seq)
		}
	})
	return ua.write(ack)
}

// Error says what was answered.
func (e *StatusError) Error() string {
	return fmt.Sprintf("sip: answered %d %s", e.Status, printable(e.Text, 80))
}

func statusError(res *sip.Response) *StatusError {
	return &StatusError{Status: res.StatusCode, Text: res.Reason, retryAfter: retryAfter(res)}
}

func splitHostPort(hostPort string) (host string, port uint16, err error) {
	if a, err := netip.ParseAddr(hostPort); err == nil {
		return a.String(), 5060, nil
	}
	h, p, err := net.SplitHostPort(hostPort)
	if err != nil {
		return hostPort, 5060, nil // a name alone
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("sip: port in %q", hostPort)
	}
	return h, uint16(n), nil
}
