package server

import (
	"context"
	"fmt"
	"os"

	"connectrpc.com/connect"
	"connectrpc.com/otelconnect"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"

	"trunkline/internal/life"
)

// tracingOn says whether the standard environment names a collector. Without
// one no span is made.
func tracingOn() bool {
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// tracing sends spans by OTLP over HTTP; the exporter reads its own OTEL_
// variables.
func (s *Server) tracing() life.Service {
	if !tracingOn() {
		return life.Funcs{}
	}
	var provider *trace.TracerProvider
	return life.Funcs{
		OnStart: func(ctx context.Context) error {
			exporter, err := otlptracehttp.New(ctx)
			if err != nil {
				return fmt.Errorf("trace exporter: %w", err)
			}
			provider = trace.NewTracerProvider(
				trace.WithBatcher(exporter),
				trace.WithResource(resource.NewSchemaless(
					semconv.ServiceName("trunkline-cloud"), semconv.ServiceVersion(s.cfg.Version))),
			)
			otel.SetTracerProvider(provider)
			otel.SetTextMapPropagator(propagation.TraceContext{})
			return nil
		},
		OnStop: func(ctx context.Context) error { return provider.Shutdown(ctx) },
	}
}

func (s *Server) tracingInterceptors() []connect.Interceptor {
	if !tracingOn() {
		return nil
	}
	i, err := otelconnect.NewInterceptor(otelconnect.WithoutMetrics())
	if err != nil {
		s.log.Error("tracing of RPCs is off", "error", err)
		return nil
	}
	return []connect.Interceptor{i}
}
