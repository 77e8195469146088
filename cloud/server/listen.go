package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"trunkline/internal/rpcx"
)

// listeners are the sockets, open before the features are mounted so that the
// addresses are known, and the servers on them.
type listeners struct {
	web, node, metrics net.Listener

	servers []*http.Server
	cancel  context.CancelFunc // ends streams
	wait    sync.WaitGroup
}

// listen opens the sockets. Nobody is served before serve.
func (s *Server) listen(context.Context) (err error) {
	l := &s.listeners
	if l.web, err = net.Listen("tcp", s.cfg.WebAddr); err != nil {
		return err
	}
	if l.node, err = net.Listen("tcp", s.cfg.NodeAddr); err != nil {
		return errors.Join(err, l.web.Close())
	}
	if s.cfg.MetricsAddr != "" {
		if l.metrics, err = net.Listen("tcp", s.cfg.MetricsAddr); err != nil {
			return errors.Join(err, l.web.Close(), l.node.Close())
		}
		s.ready.Metrics = "http://" + l.metrics.Addr().String()
	}
	scheme := "http"
	if s.cfg.TLSCert != "" {
		scheme = "https"
	}
	s.ready.Web = scheme + "://" + l.web.Addr().String()
	s.ready.Node = l.node.Addr().String()
	s.nodeAddr = s.cfg.NodePublicAddr
	if s.nodeAddr == "" {
		s.nodeAddr = s.ready.Node
	}
	s.publicURL, err = url.Parse(s.public(scheme))
	if err != nil || s.publicURL.Host == "" {
		return fmt.Errorf("public URL %q is not http(s)://host[:port]", s.cfg.PublicURL)
	}
	return nil
}

// public is the address people open. On this machine alone that is localhost
// rather than its number: browsers give passkeys to names only.
func (s *Server) public(scheme string) string {
	if s.cfg.PublicURL != "" {
		return s.cfg.PublicURL
	}
	addr, ok := s.listeners.web.Addr().(*net.TCPAddr)
	if ok && addr.IP.IsLoopback() {
		return fmt.Sprintf("%s://localhost:%d", scheme, addr.Port)
	}
	return s.ready.Web
}

func (s *Server) closeSockets(context.Context) error {
	for _, l := range []net.Listener{s.listeners.web, s.listeners.node, s.listeners.metrics} {
		if l != nil {
			_ = l.Close() // the server on it may have done so
		}
	}
	return nil
}

// serve begins to answer on all sockets.
func (s *Server) serve(context.Context) error {
	l := &s.listeners
	var base context.Context
	base, l.cancel = context.WithCancel(context.Background())

	webTLS, err := s.webTLS()
	if err != nil {
		return err
	}
	s.run(base, l.web, webTLS, rpcx.Transport(s.guarded(s.crossOrigin(s.web)), s.cfg.TrustForwarded), nil)
	if s.nodeTLS != nil {
		s.run(base, l.node, s.nodeTLS, rpcx.Transport(s.node, false), nodeHTTP2)
	}
	if l.metrics != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.Handler())
		mux.HandleFunc("GET /healthz", s.health)
		s.run(base, l.metrics, nil, mux, nil)
	}
	return nil
}

// bodyTime bounds how long a person's request may take to arrive; streams are
// told from it by their content type.
const bodyTime = 5 * time.Minute

// guarded is what holds for every request of people.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.publicURL.Scheme == "https" {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		if r.Method == http.MethodPost && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/connect+") {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // not all transports can
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) webTLS() (*tls.Config, error) {
	if s.cfg.TLSCert == "" {
		return nil, nil //nolint:nilnil // no TLS is a choice
	}
	cert, err := tls.LoadX509KeyPair(s.cfg.TLSCert, s.cfg.TLSKey)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}

// nodeHTTP2 is for the node port: the streams of a node that hangs, with its
// connections open, end within four seconds.
var nodeHTTP2 = &http.HTTP2Config{SendPingTimeout: 2 * time.Second, PingTimeout: 2 * time.Second}

// run serves h on a socket until stopServing. Plain HTTP speaks HTTP/2 as well,
// for clients that know beforehand.
func (s *Server) run(base context.Context, l net.Listener, tlsConfig *tls.Config, h http.Handler, http2 *http.HTTP2Config) {
	srv := &http.Server{
		Handler: h, TLSConfig: tlsConfig, BaseContext: func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		Protocols: &http.Protocols{}, HTTP2: http2,
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(tlsConfig == nil)
	s.listeners.servers = append(s.listeners.servers, srv)
	s.listeners.wait.Go(func() {
		var err error
		if tlsConfig != nil {
			err = srv.ServeTLS(l, "", "")
		} else {
			err = srv.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("listener ended", "addr", l.Addr().String(), "error", err)
		}
	})
}

// stopServing ends streams at once, lets running requests finish until ctx
// ends, then cuts them.
func (s *Server) stopServing(ctx context.Context) error {
	s.listeners.cancel()
	var errs []error
	for _, srv := range s.listeners.servers {
		if err := srv.Shutdown(ctx); err != nil {
			errs = append(errs, err, srv.Close())
		}
	}
	s.listeners.wait.Wait()
	s.listeners.servers = nil
	return errors.Join(errs...)
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.db.Ping(ctx); err != nil {
		http.Error(w, "database unreachable", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}
