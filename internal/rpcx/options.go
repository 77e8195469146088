package rpcx

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"

	"connectrpc.com/connect"
)

// DefaultMaxBytes bounds a request message, decompressed.
const DefaultMaxBytes = 1 << 20

// DefaultRecheck bounds how long a stream outlives its caller's right to it.
const DefaultRecheck = 15 * time.Second

// Config is what differs between cloud and edge.
type Config struct {
	// Authenticate says who sends the request. It fails only for credentials
	// that are presented and bad; without credentials it returns an empty Caller,
	// and public methods go on. tls is nil on plain HTTP.
	Authenticate func(ctx context.Context, header http.Header, tls *tls.ConnectionState) (Caller, error)
	Log          *slog.Logger   // nil = slog.Default()
	MaxBytes     map[string]int // by procedure, where DefaultMaxBytes does not fit
	// Recheck says whether the caller of an open stream still holds what they were
	// admitted with; its fault ends the stream. Asked every RecheckEvery; nil =
	// streams outlive what admitted them.
	Recheck      func(Caller) error
	RecheckEvery time.Duration // 0 = DefaultRecheck
	// Interceptors run outside of all others, e.g. tracing.
	Interceptors []connect.Interceptor
}

// Options gives what every handler of a program is made with.
func Options(cfg Config) []connect.HandlerOption {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Authenticate == nil {
		cfg.Authenticate = func(context.Context, http.Header, *tls.ConnectionState) (Caller, error) { return Caller{}, nil }
	}
	if cfg.RecheckEvery == 0 {
		cfg.RecheckEvery = DefaultRecheck
	}
	chain := append([]connect.Interceptor{}, cfg.Interceptors...)
	chain = append(chain, reading{cfg.limit}, metrics{}, faults{cfg.Log}, access{cfg.Authenticate, cfg.Recheck, cfg.RecheckEvery}, rules{})
	return []connect.HandlerOption{
		connect.WithConditionalHandlerOptions(func(spec connect.Spec) []connect.HandlerOption {
			return []connect.HandlerOption{connect.WithReadMaxBytes(cfg.limit(spec.Procedure))}
		}),
		connect.WithRequestGate(cfg.gate),
		connect.WithInterceptors(chain...),
		connect.WithCompressMinBytes(1024),
	}
}

// limit is how large a message of a method may be.
func (c Config) limit(procedure string) int {
	if n, ok := c.MaxBytes[procedure]; ok {
		return n
	}
	return DefaultMaxBytes
}
