package nodeport

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// hostSuffix makes a peer's name a host of the private web the port serves.
const hostSuffix = ".node.trunkline.internal"

// Handle mounts a handler, with the patterns of http.ServeMux. Requests carry
// the peer (PeerFrom) and its verified TLS state, for rpcx too (the handler need
// not be wrapped in rpcx.Transport). Also after Start.
func (p *Port) Handle(pattern string, h http.Handler) { p.mux.Handle(pattern, h) }

// Client gives an HTTP client to a peer by name, and the URL its paths begin
// with: edgev1connect.NewNodeServiceClient(port.Client("node-2")). Requests
// share one HTTP/2 connection for each peer; bound each with a context.
func (p *Port) Client(peer string) (*http.Client, string) {
	return &http.Client{Transport: p.client}, "http://" + peer + hostSuffix
}

func onlyHTTP2() *http.Protocols {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true) // TLS is around it already
	return &protocols
}

func (p *Port) newServer() *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(p.serve),
		Protocols:         onlyHTTP2(),
		ReadHeaderTimeout: handshakeTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 256, SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
}

type connKey struct{}

func (p *Port) serve(w http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(connKey{}).(*Conn)
	if !ok {
		http.Error(w, "no peer", http.StatusForbidden)
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), identityKey{}, c.peer))
	r.TLS = c.tlsState()
	p.handler.ServeHTTP(w, r)
}

func (p *Port) newTransport() *http.Transport {
	return &http.Transport{
		Protocols:       onlyHTTP2(),
		IdleConnTimeout: 2 * time.Minute,
		HTTP2:           &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 2 * time.Second},
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			peer, ok := strings.CutSuffix(host, hostSuffix)
			if !ok {
				return nil, fmt.Errorf("nodeport: %s is no peer", host)
			}
			return p.Dial(ctx, peer, KindHTTP)
		},
	}
}
