package sip

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"
)

// product is the name in Server and User-Agent.
const product = "Trunkline"

func init() {
	// sipgo names each response with a UUID and refuses datagrams over 1,300
	// bytes (a path with a smaller MTU fragments them, which UDP allows).
	uuid.EnableRandPool()
	sip.UDPMTUSize = 32 << 10
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
}

// receiveBuffer holds some 4,000 messages while the process is starved.
const receiveBuffer = 4 << 20

// UA is a node's SIP user agent; a life.Service.
type UA struct {
	cfg     Config
	handler Handler
	log     *slog.Logger
	metrics *metrics
	time    timing

	host     string // of Via and Contact
	port     int
	udpLocal sip.Addr
	resolver *net.Resolver

	tp     *sip.TransportLayer
	tx     *sip.TransactionLayer
	guard  *guard
	stream *stream

	ctx      context.Context // ends in Stop
	cancelFn context.CancelFunc
	gate     sync.RWMutex // held for reading while a request is given to sipgo
	running  sync.WaitGroup
	draining atomic.Bool
	reports  perSecondLimit
	resting  resting

	mu       sync.Mutex
	legs     map[dialogKey]*Leg
	invites  map[inviteKey]*invite
	inFlight shares             // INVITEs without a final response
	calls    map[string]*shares // by trunk
	paces    paces
	closed   bool
}

// timing are the intervals of RFC 3261 17; tests shorten them.
type timing struct {
	t1, t2 time.Duration
	decide time.Duration // how long an INVITE may wait for the handler
	pause  float64       // scale of pauses between attempts
	second time.Duration // unit of session intervals
}

// New checks the configuration; Start opens nothing but serves cfg's sockets.
func New(cfg Config, h Handler) (*UA, error) {
	host, port, err := splitHostPort(cfg.Advertised)
	switch {
	case cfg.UDP == nil || h == nil || cfg.Trunks == nil:
		return nil, errors.New("sip: UDP socket, Trunks and handler are needed")
	case err != nil || host == "":
		return nil, fmt.Errorf("sip: advertised address %q", cfg.Advertised)
	case !cfg.AdvertisedIP.IsValid() && (!cfg.MediaIP.IsValid() || cfg.MediaIP.IsUnspecified()):
		return nil, errors.New("sip: the address written into SDP is not known")
	}
	if cfg.MaxInvitesInFlight <= 0 {
		cfg.MaxInvitesInFlight = 200
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.NodeName != "" {
		cfg.Log = cfg.Log.With("node", cfg.NodeName)
	}
	if cfg.Choose == nil {
		cfg.Choose = func(matching []Trunk, _ string) Trunk { return matching[0] }
	}
	m, err := newMetrics(cfg.Metrics)
	if err != nil {
		return nil, fmt.Errorf("sip metrics: %w", err)
	}
	ua := &UA{
		cfg: cfg, handler: h, log: cfg.Log, metrics: m, host: host, port: int(port), resolver: net.DefaultResolver,
		time: timing{t1: sip.T1, t2: sip.T2, decide: 3 * time.Minute, pause: 1, second: time.Second},
		legs: map[dialogKey]*Leg{}, invites: map[inviteKey]*invite{}, calls: map[string]*shares{}, paces: paces{},
	}
	ua.guard = &guard{ua: ua, seed: maphash.MakeSeed()}
	ua.stream = newStream(ua, cfg.TCP)
	ua.ctx, ua.cancelFn = context.WithCancel(context.Background())
	return ua, nil
}

// Start serves; it returns when the sockets are read.
func (ua *UA) Start(ctx context.Context) error {
	local := addrPortOf(ua.cfg.UDP.LocalAddr())
	ua.udpLocal = sip.Addr{IP: net.IP(local.Addr().AsSlice()), Port: int(local.Port())}
	log := slog.New(slog.DiscardHandler) // it logs whole messages of peers
	ua.tp = sip.NewTransportLayer(ua.resolver, sip.NewParser(sip.WithHeadersParsers(headerParsers())), nil, sip.WithTransportLayerLogger(log))
	ua.tx = sip.NewTransactionLayer(ua.tp, sip.WithTransactionLayerLogger(log),
		sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {
			ua.metrics.dropped.WithLabelValues("stray_response").Inc()
		}))
	ua.tx.OnRequest(ua.handle)
	d := &datagrams{PacketConn: ua.cfg.UDP, ua: ua, local: ua.udpLocal, ready: make(chan struct{})}
	if d.udp, _ = ua.cfg.UDP.(*net.UDPConn); d.udp != nil {
		_ = d.udp.SetReadBuffer(receiveBuffer) // as much as the system allows
	}
	ua.running.Go(func() { ua.serve("udp", func() error { return ua.tp.ServeUDP(d) }) })
	ua.running.Go(func() { ua.serve("tcp", func() error { return ua.tp.ServeTCP(ua.stream) }) })
	if ua.cfg.TCP != nil {
		ua.running.Go(ua.stream.accept)
	}
	select {
	case <-d.ready:
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), ua.Stop(context.WithoutCancel(ctx)))
	}
}

func (ua *UA) serve(network string, serve func() error) {
	if err := serve(); ua.ctx.Err() == nil {
		ua.log.Error("sip listener ended", "network", network, "error", err)
	}
}

// Drain refuses new calls with 503 from now on; calls that are up go on.
func (ua *UA) Drain() { ua.draining.Store(true) }

// settle is how long requests on their way have before the sockets close.
const settle = 20 * time.Millisecond

// Stop ends without a word to the peers: what is still up is another node's to
// take over. Sockets and media ports are closed; no event follows.
func (ua *UA) Stop(ctx context.Context) error {
	ua.Drain()
	ua.mu.Lock()
	if ua.closed {
		ua.mu.Unlock()
		return nil
	}
	ua.closed = true
	legs := make([]*Leg, 0, len(ua.legs))
	for _, l := range ua.legs {
		legs = append(legs, l)
	}
	invites := make([]*invite, 0, len(ua.invites))
	for _, v := range ua.invites {
		invites = append(invites, v)
	}
	ua.mu.Unlock()
	for _, l := range legs {
		l.Abandon()
	}
	for _, v := range invites {
		v.abandon()
	}
	ua.gate.Lock()
	ua.cancelFn()
	ua.gate.Unlock()
	if ua.tx != nil {
		// Nothing is read any more. What was read still gets its transaction:
		// without the socket sipgo would open one of its own for the answer.
		<-time.After(settle)
	}
	err := errors.Join(ua.stream.Close(), ua.cfg.UDP.Close())
	if ua.tx != nil {
		ua.tx.Close()
		err = errors.Join(err, ua.tp.Close())
	}
	done := make(chan struct{})
	go func() {
		ua.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		if ua.tp != nil { // a request on its way may have opened a socket since
			err = errors.Join(err, ua.tp.Close())
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("sip does not end: %w", ctx.Err())
	}
}

// Legs counts the live legs.
func (ua *UA) Legs() int {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	return len(ua.legs)
}

// acked takes the ACK of a 2xx, on the transport's goroutine: so what follows
// it on the wire finds it done, and sipgo does not make a transaction that
// nothing would end. False = it is for a transaction (of a refusal).
func (ua *UA) acked(m *raw, body []byte) bool {
	l := ua.leg(dialogKey{string(m.callID), string(param(m.to, "tag")), string(param(m.from, "tag"))})
	return l != nil && l.acked(m.seq, body, string(m.contentType))
}

// handle gets each request with its transaction, on a goroutine of its own.
func (ua *UA) handle(req *sip.Request, tx *sip.ServerTx) {
	switch {
	case req.Method == sip.ACK:
		tx.Terminate() // of no dialog; nothing else would end it
	case req.To() == nil || req.From() == nil || req.CallID() == nil || req.Method == sip.INVITE && req.Contact() == nil:
		ua.turnDown(req, tx, sip.StatusBadRequest)
	case req.Method == sip.PRACK:
		ua.prack(req, tx)
	case tagOf(req.To().Params) != "":
		if l := ua.leg(keyOf(req)); l != nil {
			l.serve(req, tx)
			return
		}
		ua.stray(req, tx)
	case req.Method == sip.INVITE:
		ua.incoming(req, tx)
	default:
		ua.turnDown(req, tx, sip.StatusCallTransactionDoesNotExists)
	}
}

// stray is a request for a dialog that is not here. 481 ends a call at the
// peer, so it is not said while another node has the dialog or takes it over.
func (ua *UA) stray(req *sip.Request, tx *sip.ServerTx) {
	if ua.cfg.Resolve != nil && ua.cfg.Resolve(req.CallID().Value(), tagOf(req.To().Params)) {
		res := ua.response(req, sip.StatusInternalServerError, "", nil)
		res.AppendHeader(sip.NewHeader("Retry-After", "1"))
		ua.send(req, tx, res)
		return
	}
	ua.turnDown(req, tx, sip.StatusCallTransactionDoesNotExists)
}

func (ua *UA) turnDown(req *sip.Request, tx *sip.ServerTx, status int) {
	ua.send(req, tx, ua.response(req, status, "", nil))
}

func (ua *UA) send(req *sip.Request, tx *sip.ServerTx, res *sip.Response) {
	ua.metrics.response(string(req.Method), res.StatusCode)
	if err := tx.Respond(res); err != nil {
		ua.log.Debug("sip response not sent", "status", res.StatusCode, "error", err)
	}
}

// response builds a response; tag is ours, "" = sipgo's or the one there is.
func (ua *UA) response(req *sip.Request, status int, tag string, body []byte) *sip.Response {
	res := sip.NewResponseFromRequest(req, status, reasonPhrase(status), body)
	if tag != "" && status != sip.StatusTrying {
		res.To().Params.Add("tag", tag)
	}
	res.AppendHeader(sip.NewHeader("Server", product))
	return res
}

// listed tells whether any trunk allows the address.
func (ua *UA) listed(a netip.Addr) bool {
	for _, t := range ua.cfg.Trunks() {
		if contains(t.Allowed, a) {
			return true
		}
	}
	return false
}

func (ua *UA) trunkByID(id string) Trunk {
	for _, t := range ua.cfg.Trunks() {
		if t.ID == id {
			return t
		}
	}
	return Trunk{ID: id}
}

// maxReports bounds OnRefused, a second; metrics count every refusal.
const maxReports = 50

func (ua *UA) refused(r Refusal) {
	ua.metrics.refusals.WithLabelValues(r.Reason).Inc()
	if ua.cfg.OnRefused != nil && ua.reports.allow(r.At, maxReports) {
		ua.cfg.OnRefused(r)
	}
}
