package turn

import (
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	turn "github.com/pion/turn/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("0123456789abcdef")

func started(t *testing.T, allow ...netip.Prefix) *Server {
	t.Helper()
	s, err := New(Config{
		Addr: "127.0.0.1:0", RelayIP: net.IPv4(127, 0, 0, 1), Secret: secret, AllowPeers: allow, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func client(t *testing.T, s *Server, c Credential) *turn.Client {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimSuffix(strings.TrimPrefix(s.URLs()[0], "turn:"), "?transport=udp")
	cl, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: addr, TURNServerAddr: addr, Conn: conn, Username: c.Username, Password: c.Password, Realm: "trunkline",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := cl.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cl.Close(); _ = conn.Close() })
	return cl
}

func TestRelaysToAnAllowedPeer(t *testing.T) {
	s := started(t, netip.MustParsePrefix("127.0.0.0/8"))
	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	relay, err := client(t, s, s.Credential("agent-1")).Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	if _, err := relay.WriteTo([]byte("audio"), peer.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	_ = peer.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 64)
	n, from, err := peer.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "audio" || from.String() != relay.LocalAddr().String() {
		t.Errorf("peer got %q from %v, %v", buf[:n], from, err)
	}
	if s.Relays() != 1 {
		t.Errorf("%d relays counted", s.Relays())
	}
}

func TestRefusesInsidePeers(t *testing.T) {
	s := started(t)
	relay, err := client(t, s, s.Credential("agent-1")).Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	if _, err := relay.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5432}); err == nil {
		t.Error("the relay reached loopback")
	}
	for ip, want := range map[string]bool{"10.0.0.1": false, "169.254.169.254": false, "100.64.1.1": false, "::1": false, "224.0.0.1": false, "203.0.113.9": true} {
		if got := s.permit(&net.UDPAddr{}, net.ParseIP(ip)); got != want {
			t.Errorf("permit(%s) = %v", ip, got)
		}
	}
}

func TestRefusesWrongAndEndedCredentials(t *testing.T) {
	s := started(t)
	wrong := s.Credential("agent-1")
	wrong.Password = "x"
	ended := s.Credential("agent-1")
	ended.Username = "1000:agent-1"
	ended.Password = password(secret, ended.Username)
	for name, c := range map[string]Credential{"wrong": wrong, "ended": ended} {
		if relay, err := client(t, s, c).Allocate(); err == nil {
			relay.Close()
			t.Errorf("%s credentials made a relay", name)
		}
	}
}

func TestBoundsTheRelaysOfAUser(t *testing.T) {
	s := started(t)
	for range perUser {
		relay, err := client(t, s, s.Credential("agent-1")).Allocate()
		if err != nil {
			t.Fatal(err)
		}
		defer relay.Close()
	}
	if relay, err := client(t, s, s.Credential("agent-1")).Allocate(); err == nil {
		relay.Close()
		t.Error("one relay too many")
	}
	relay, err := client(t, s, s.Credential("agent-2")).Allocate()
	if err != nil {
		t.Fatalf("another user: %v", err)
	}
	relay.Close()
}

func TestOffByDefault(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := s.Credential("a"); len(c.URLs) != 0 || c.Password != "" {
		t.Errorf("credentials of a relay that is off: %+v", c)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]Config{
		"short secret": {Addr: ":0", Secret: []byte("x"), RelayIP: net.IPv4zero},
		"no relay ip":  {Addr: ":0", Secret: secret},
		"ports":        {Addr: ":0", Secret: secret, RelayIP: net.IPv4zero, MinPort: 9, MaxPort: 8},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
