package rpcx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect"

	"trunkline/internal/fault"
)

// What is wrong with a request that could not be read: larger than its method
// takes, not one message of its type, or cut off. Connect answers a unary one
// by itself, before any interceptor; an exchange puts our fault in that
// answer's place. A stream's comes through the chain.

// drain is how much more than its method takes is read of a request, so that a
// client that writes first and reads afterwards gets the answer, rather than a
// connection that was reset.
const drain = 16 << 20

// unread makes the fault of a request that could not be read. limit is what its
// method takes.
func unread(err error, limit int) error {
	switch connect.CodeOf(err) {
	case connect.CodeResourceExhausted:
		return fault.Wrap(err, fault.Exhausted, "fault.request.too_large", "max", size(limit))
	case connect.CodeDeadlineExceeded:
		return fault.Of(context.DeadlineExceeded).WithCause(err)
	}
	return fault.Wrap(err, fault.Invalid, "fault.request.unreadable")
}

func size(n int) string {
	for _, unit := range []string{"B", "kB"} {
		if n < 1<<10 {
			return fmt.Sprint(n, " ", unit)
		}
		n >>= 10
	}
	return fmt.Sprint(n, " MB")
}

// exchange is one HTTP request and its answer. From the gate until the chain is
// reached, what Connect answers is held back.
type exchange struct {
	http.ResponseWriter
	body   io.ReadCloser // of the request, bounded from the gate on
	held   *held
	failed func(error) error // logs, counts and gives what goes over the wire
}

// held is an answer of Connect's own.
type held struct {
	header http.Header // before it
	status int
	body   bytes.Buffer
}

type exchangeKey struct{}

// exchanged serves a request as an exchange, which the handlers made with
// Options know how to use. All of our RPCs are posted.
func exchanged(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		next.ServeHTTP(w, r)
		return
	}
	x := &exchange{ResponseWriter: w, body: r.Body}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	r.Body = requestBody{x}
	next.ServeHTTP(x, r)
	if x.held != nil {
		x.answer(r)
	}
}

// gate bounds the body of a request with one message, and holds back what
// Connect answers to a unary one. The length that is read is bounded here, what
// it unpacks to by Connect.
func (c Config) gate(ctx context.Context, spec connect.Spec, _ connect.Peer, _ http.Header) (context.Context, error) {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok || spec.StreamType&connect.StreamTypeClient != 0 {
		return ctx, nil
	}
	limit := c.limit(spec.Procedure)
	x.body = http.MaxBytesReader(x.ResponseWriter, x.body, int64(limit+drain))
	if spec.StreamType == connect.StreamTypeUnary {
		start := time.Now()
		x.held = &held{header: x.Header().Clone(), status: http.StatusOK}
		x.failed = func(err error) error {
			err = report(ctx, c.Log, spec.Procedure, unread(err, limit))
			measure(spec.Procedure, start, err)
			return err
		}
	}
	return ctx, nil
}

// reading is the outermost of our interceptors: a unary request that comes here
// was read, so its answer is no longer Connect's own.
type reading struct{ limit func(procedure string) int }

func (reading) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
			x.held = nil
		}
		return next(ctx, req)
	}
}

func (r reading) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return next(ctx, readConn{conn, r.limit(conn.Spec().Procedure)})
	}
}

func (reading) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

type readConn struct {
	connect.StreamingHandlerConn
	limit int
}

func (c readConn) Receive(msg any) error {
	err := c.StreamingHandlerConn.Receive(msg)
	if err == nil || errors.Is(err, io.EOF) { // the stream's own end
		return err
	}
	return unread(err, c.limit)
}

var errorWriter = connect.NewErrorWriter()

// answer sends our fault in place of Connect's error.
func (x *exchange) answer(r *http.Request) {
	err := x.failed(x.held.error(x.Header()))
	clear(x.Header())
	maps.Copy(x.Header(), x.held.header)
	_ = errorWriter.Write(x.ResponseWriter, r, err) // the client may have gone
}

// error is what Connect answered, in the form of the client's protocol.
func (h *held) error(header http.Header) error {
	for _, prefix := range []string{http.TrailerPrefix, ""} { // gRPC and gRPC-Web
		if code, err := strconv.ParseUint(header.Get(prefix+"Grpc-Status"), 10, 32); err == nil {
			return connect.NewError(connect.Code(code), errors.New(header.Get(prefix+"Grpc-Message")))
		}
	}
	var wire struct {
		Code    connect.Code
		Message string
	}
	if err := json.Unmarshal(h.body.Bytes(), &wire); err != nil {
		return fmt.Errorf("status %d: %w", h.status, err)
	}
	return connect.NewError(wire.Code, errors.New(wire.Message))
}

func (x *exchange) WriteHeader(status int) {
	if x.held != nil {
		x.held.status = status
		return
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(b []byte) (int, error) {
	if x.held != nil {
		return x.held.body.Write(b)
	}
	return x.ResponseWriter.Write(b)
}

// Flush is asked of a stream's writer by Connect.
func (x *exchange) Flush() {
	if f, ok := x.ResponseWriter.(http.Flusher); ok && x.held == nil {
		f.Flush()
	}
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

type requestBody struct{ *exchange }

func (b requestBody) Read(p []byte) (int, error) { return b.body.Read(p) }
func (b requestBody) Close() error               { return b.body.Close() }
