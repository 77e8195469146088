package uplink

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	"trunkline/internal/join"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

// link is the three connections to the cloud's node port and what is known of it.
type link struct {
	cfg                  Config
	control, facts, bulk edgev1connect.FleetServiceClient
	conns                []*conn

	up    signal // fires when the cloud is heard again
	clock clock

	mu        sync.Mutex
	addr      string
	connected bool
	seen      time.Time
}

func newLink(cfg Config) *link {
	l := &link{cfg: cfg, addr: cfg.CloudAddr}
	client := func(ping keepAlive, opts ...connect.ClientOption) edgev1connect.FleetServiceClient {
		c := &conn{link: l, ping: ping}
		l.conns = append(l.conns, c)
		opts = append(opts, connect.WithReadMaxBytes(64<<20))
		return edgev1connect.NewFleetServiceClient(&http.Client{Transport: c}, "https://"+join.ServerName, opts...)
	}
	l.control = client(quick)
	l.facts = client(patient, connect.WithSendGzip(), connect.WithCompressMinBytes(1024))
	l.bulk = client(patient)
	return l
}

func (l *link) close() {
	for _, c := range l.conns {
		c.close()
	}
}

func (l *link) state() (bool, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected, l.seen
}

// heard notes that the cloud answered on the control connection.
func (l *link) heard() {
	l.mu.Lock()
	was := l.connected
	l.connected, l.seen = true, time.Now()
	l.mu.Unlock()
	if !was {
		connectedGauge.Set(1)
		l.up.fire()
	}
}

func (l *link) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connected = false
	connectedGauge.Set(0)
}

// find asks where the node port is now.
func (l *link) find(ctx context.Context) {
	if l.cfg.FindCloud == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	addr, err := l.cfg.FindCloud(ctx)
	if err != nil || addr == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.addr != addr {
		l.cfg.Log.Info("the cloud's node port moved", "from", l.addr, "to", addr)
		l.addr = addr
	}
}

func (l *link) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	l.mu.Lock()
	addr := l.addr
	l.mu.Unlock()
	return l.cfg.Dial(ctx, addr)
}

// keepAlive says after what silence the other end is asked for a sign of life, and
// how long that may take.
type keepAlive struct{ after, within time.Duration }

var (
	// quick is the control connection's: a cloud that hangs, with its connections
	// open, is away within four seconds.
	quick = keepAlive{time.Second, 2 * time.Second}
	// patient is for the others, which may carry more than the line takes.
	patient = keepAlive{5 * time.Second, 5 * time.Second}
)

// conn is one HTTP/2 connection. When the certificate was renewed new requests
// take a new connection; the old one ends with its last request.
type conn struct {
	link *link
	ping keepAlive

	mu   sync.Mutex
	t    *http.Transport
	with *tls.Certificate
}

// RoundTrip implements http.RoundTripper.
func (c *conn) RoundTrip(r *http.Request) (*http.Response, error) { return c.transport().RoundTrip(r) }

func (c *conn) transport() *http.Transport {
	cert := c.link.cfg.Certificate()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.t != nil && c.with == cert {
		return c.t
	}
	if c.t != nil {
		c.t.CloseIdleConnections()
	}
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	c.with = cert
	c.t = &http.Transport{
		DialContext: c.link.dial, TLSClientConfig: c.link.cfg.TLS(), Protocols: &protocols,
		TLSHandshakeTimeout: rpcTimeout, IdleConnTimeout: time.Minute,
		HTTP2: &http.HTTP2Config{SendPingTimeout: c.ping.after, PingTimeout: c.ping.within},
	}
	return c.t
}

func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.t != nil {
		c.t.CloseIdleConnections()
		c.t = nil
	}
}

// clock compares this clock with the cloud's. A beat comes late, never early, so
// of the last beats the one that took the shortest way is the best.
type clock struct {
	mu    sync.Mutex
	beats []beat // newest last
}

// beat is what the cloud's clock showed at most a moment before at. Of at only
// the monotonic reading is used: this clock may be set meanwhile.
type beat struct{ cloud, at time.Time }

const (
	keepBeats = 12 // a minute of them
	// freshFor is how long after the last beat the cloud's clock is known.
	freshFor = time.Minute
)

func (c *clock) beat(cloud time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beats = append(c.beats, beat{cloud, time.Now()})
	if len(c.beats) > keepBeats {
		c.beats = slices.Delete(c.beats, 0, 1)
	}
}

// offset is this clock minus the cloud's, as of the last beats; ok says whether
// they are fresh.
func (c *clock) offset() (off time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for i, b := range c.beats {
		behind := now.Round(0).Sub(b.cloud) - now.Sub(b.at)
		if i == 0 || behind < off {
			off = behind
		}
		ok = now.Sub(b.at) <= freshFor
	}
	return off, ok
}

// cloudNow is the cloud's time as far as it was ever known, else this clock's.
func (c *clock) cloudNow() time.Time {
	off, _ := c.offset()
	return time.Now().Add(-off)
}
