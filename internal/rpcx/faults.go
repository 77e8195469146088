package rpcx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"trunkline/internal/fault"
)

// faults maps what handlers return, or panic with, to the wire and logs it with
// the reference the person sees.
type faults struct{ log *slog.Logger }

func (f faults) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (res connect.AnyResponse, err error) {
		defer func() {
			if err = recovered(recover(), err); err != nil {
				res, err = nil, report(ctx, f.log, req.Spec().Procedure, err)
			}
		}()
		return next(ctx, req)
	}
}

func (f faults) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) (err error) {
		defer func() {
			if err = recovered(recover(), err); err != nil {
				err = report(ctx, f.log, conn.Spec().Procedure, err)
			}
		}()
		return next(ctx, conn)
	}
}

// recovered makes an error of a panic. net/http's own way to abort goes on.
func recovered(p any, err error) error {
	if p == nil {
		return err
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // the value itself is panicked with
		panic(p)
	}
	return fmt.Errorf("panic: %v\n%s", p, debug.Stack())
}

func (faults) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// report logs a failure once and gives what goes over the wire. Defects are
// errors in the log; what the caller did wrong is information.
func report(ctx context.Context, log *slog.Logger, procedure string, err error) error {
	e := *fault.Of(err)
	if e.Reference == "" {
		e.Reference = fault.NewReference()
	}
	level := slog.LevelInfo
	switch {
	case errors.Is(err, context.Canceled):
		level = slog.LevelDebug
	case e.Kind == fault.Internal:
		level = slog.LevelError
	case e.Kind == fault.Unavailable:
		level = slog.LevelWarn
	}
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(attribute.String("trunkline.reference", e.Reference), attribute.String("trunkline.fault", e.Key))
	log.Log(ctx, level, "rpc failed", "procedure", procedure, "reference", e.Reference, "kind", e.Kind,
		"tenant", TenantFrom(ctx), "error", err)
	return fault.ToConnect(&e)
}

var (
	seconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name: "trunkline_rpc_seconds", Help: "Time from request to answer of unary RPCs.",
		Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"procedure", "code"})
	streams = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Name: "trunkline_rpc_streams", Help: "Streams open now.",
	}, []string{"procedure"})
	streamsEnded = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "trunkline_rpc_streams_ended_total", Help: "Streams that ended, by how.",
	}, []string{"procedure", "code"})
)

func codeName(err error) string {
	if err == nil {
		return "ok"
	}
	return connect.CodeOf(err).String()
}

func measure(procedure string, start time.Time, err error) {
	seconds.WithLabelValues(procedure, codeName(err)).Observe(time.Since(start).Seconds())
}

// metrics measures each RPC, as the outermost of our own.
type metrics struct{}

func (metrics) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		start := time.Now()
		res, err := next(ctx, req)
		measure(req.Spec().Procedure, start, err)
		return res, err
	}
}

func (metrics) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		g := streams.WithLabelValues(conn.Spec().Procedure)
		g.Inc()
		defer g.Dec()
		err := next(ctx, conn)
		streamsEnded.WithLabelValues(conn.Spec().Procedure, codeName(err)).Inc()
		return err
	}
}

func (metrics) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}
