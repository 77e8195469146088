package enroll

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"trunkline/internal/join"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

// contact is the connection to the cloud's node port before there is a certificate.
type contact struct {
	addr   string
	tls    *tls.Config
	web    *http.Transport
	client edgev1connect.JoinServiceClient

	silent bool // reporting failed once: not worth more waiting
}

// newContact judges certificates by the cloud's clock, so that a node whose own
// is wrong can still say so on the site's page.
func newContact(token join.Token, found Discovered) *contact {
	c := &contact{addr: found.NodeAddr}
	c.tls = firstTLS(token, func() time.Time { return time.Now().Add(-found.Offset) })
	c.web = &http.Transport{
		TLSClientConfig:   c.tls,
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, c.addr)
		},
	}
	c.client = edgev1connect.NewJoinServiceClient(&http.Client{Transport: c.web}, "https://"+join.ServerName)
	return c
}

func (c *contact) close() {
	c.web.CloseIdleConnections()
}

// prove makes the cloud show its certificate.
func (c *contact) prove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	defer raw.Close()
	return tls.Client(raw, c.tls.Clone()).HandshakeContext(ctx)
}

// report sends lines of the join log. It fails silently, and once: the log is a
// help, not the join.
func (c *contact) report(ctx context.Context, lines []*edgev1.ReportJoinRequest) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for _, line := range lines {
		if c.silent {
			return
		}
		_, err := c.client.ReportJoin(ctx, line)
		c.silent = err != nil
	}
}
