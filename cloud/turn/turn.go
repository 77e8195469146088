package turn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/logging"
	turn "github.com/pion/turn/v4"
)

// perUser bounds the relays one user holds at a time. A leg asks for one per
// address of the browser's machine and transport, usually two to eight, and a
// page that was closed without a word leaves its own for ten minutes.
const perUser = 48

// Config says where the relay listens. The zero value is a relay that is off.
type Config struct {
	// Addr is host:port for UDP and TCP, "" for off.
	Addr string
	// Public is the host or address browsers reach it by; that of Addr when empty.
	Public string
	// RelayIP is the address relayed packets leave from; must be set with Addr.
	RelayIP net.IP
	// MinPort and MaxPort bound the relay's ports; 49152 and 65535 when zero.
	MinPort, MaxPort uint16
	// Secret signs credentials; the same on all replicas, at least 16 bytes.
	Secret []byte
	// AllowPeers are private or loopback addresses that may be relayed to. All
	// other such addresses are refused: a relay is no door into our network.
	AllowPeers []netip.Prefix
	Log        *slog.Logger
}

// Server is the relay.
type Server struct {
	cfg Config
	now func() time.Time

	mu     sync.Mutex
	server *turn.Server
	urls   []string
	relays map[string]int // by user name
}

// New makes a relay; it listens once started.
func New(cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.MinPort == 0 {
		cfg.MinPort = 49152
	}
	if cfg.MaxPort == 0 {
		cfg.MaxPort = 65535
	}
	switch {
	case cfg.Addr == "":
	case len(cfg.Secret) < 16:
		return nil, errors.New("turn: the secret has fewer than 16 bytes")
	case cfg.RelayIP == nil:
		return nil, errors.New("turn: the address relayed packets leave from is not set")
	case cfg.MinPort > cfg.MaxPort:
		return nil, fmt.Errorf("turn: ports %d to %d are no range", cfg.MinPort, cfg.MaxPort)
	}
	return &Server{cfg: cfg, now: time.Now, relays: map[string]int{}}, nil
}

// Start listens on UDP and TCP, or does nothing when the role is off.
func (s *Server) Start(ctx context.Context) error {
	if s.cfg.Addr == "" {
		return nil
	}
	udp, tcp, err := listen(ctx, s.cfg.Addr)
	if err != nil {
		return err
	}
	relay := &turn.RelayAddressGeneratorPortRange{
		RelayAddress: s.cfg.RelayIP, Address: "0.0.0.0", MinPort: s.cfg.MinPort, MaxPort: s.cfg.MaxPort, MaxRetries: 50,
	}
	if s.cfg.RelayIP.To4() == nil {
		relay.Address = "[::]"
	}
	server, err := turn.NewServer(turn.ServerConfig{
		Realm:             "trunkline",
		AuthHandler:       s.auth,
		QuotaHandler:      s.quota,
		EventHandler:      turn.EventHandler{OnAllocationCreated: s.created, OnAllocationDeleted: s.deleted},
		LoggerFactory:     &logging.DefaultLoggerFactory{Writer: discard{}, DefaultLogLevel: logging.LogLevelDisabled},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: udp, RelayAddressGenerator: relay, PermissionHandler: s.permit}},
		ListenerConfigs:   []turn.ListenerConfig{{Listener: tcp, RelayAddressGenerator: relay, PermissionHandler: s.permit}},
	})
	if err != nil {
		return errors.Join(fmt.Errorf("turn: %w", err), udp.Close(), tcp.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server, s.urls = server, addresses(s.cfg.Public, udp.LocalAddr().String())
	s.cfg.Log.InfoContext(ctx, "turn relay listens", "addr", udp.LocalAddr().String())
	return nil
}

// listen opens UDP and TCP on one port, so that one firewall rule names both.
func listen(ctx context.Context, addr string) (net.PacketConn, net.Listener, error) {
	var lc net.ListenConfig
	for try := 0; ; try++ {
		udp, err := lc.ListenPacket(ctx, "udp", addr)
		if err != nil {
			return nil, nil, fmt.Errorf("turn: %w", err)
		}
		tcp, err := lc.Listen(ctx, "tcp", udp.LocalAddr().String())
		if err == nil {
			return udp, tcp, nil
		}
		_ = udp.Close()
		// With port 0 somebody may hold TCP on the port UDP was given: ask again.
		if !strings.HasSuffix(addr, ":0") || try == 10 {
			return nil, nil, fmt.Errorf("turn: %w", err)
		}
	}
}

func addresses(public, local string) []string {
	host, port, _ := net.SplitHostPort(local)
	if public != "" {
		host = public
	}
	hp := net.JoinHostPort(host, port)
	return []string{"turn:" + hp + "?transport=udp", "turn:" + hp + "?transport=tcp"}
}

// Stop ends the relay and every allocation.
func (s *Server) Stop(context.Context) error {
	s.mu.Lock()
	server := s.server
	s.server, s.urls = nil, nil
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	return server.Close() // without the lock: it calls deleted
}

// URLs are the relay's addresses for browsers; none while it is off.
func (s *Server) URLs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.urls)
}

// Relays is how many allocations exist.
func (s *Server) Relays() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.relays {
		n += c
	}
	return n
}

func (s *Server) auth(username, realm string, src net.Addr) ([]byte, bool) {
	if !valid(username, s.now()) {
		s.cfg.Log.Warn("turn credentials refused", "source", src.String())
		return nil, false
	}
	return turn.GenerateAuthKey(username, realm, password(s.cfg.Secret, username)), true
}

// quota counts by the user, not by the credential: a new one does not make more
// relays. It is asked after the password was checked.
func (s *Server) quota(username, _ string, _ net.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.relays[user(username)] < perUser
}

func (s *Server) created(_, _ net.Addr, _, username, _ string, _ net.Addr, _ int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.relays[user(username)]++
}

func (s *Server) deleted(_, _ net.Addr, _, username, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := user(username)
	if s.relays[u]--; s.relays[u] <= 0 {
		delete(s.relays, u)
	}
}

func user(username string) string {
	_, u, _ := strings.Cut(username, ":")
	return u
}

// permit refuses peers that only our own network can reach.
func (s *Server) permit(client net.Addr, peer net.IP) bool {
	ip, ok := netip.AddrFromSlice(peer)
	ip = ip.Unmap()
	inside := !ok || ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast() ||
		carrierNAT.Contains(ip)
	if inside && !slices.ContainsFunc(s.cfg.AllowPeers, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		s.cfg.Log.Warn("turn peer refused", "client", client.String(), "peer", ip.String())
		return false
	}
	return true
}

// carrierNAT is the shared address space of RFC 6598.
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// discard keeps the library's own lines, which hold addresses without context,
// out of standard error.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
