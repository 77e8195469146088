package rpcx_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"trunkline/internal/fault"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/proto/gen/trunkline/access/v1/accessv1connect"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
)

// sending is a codec that sends the bytes it holds, whatever the message, and
// understands every answer.
type sending struct {
	name string
	body []byte
}

func (s sending) Name() string                { return s.name }
func (s sending) Marshal(any) ([]byte, error) { return s.body, nil }

func (s sending) Unmarshal(b []byte, m any) error {
	if s.name == "json" {
		return protojson.Unmarshal(b, m.(proto.Message))
	}
	return proto.Unmarshal(b, m.(proto.Message))
}

// padded is an empty message of so many bytes, well formed.
func padded(codec string, n int) sending {
	if codec == "json" {
		return sending{codec, append([]byte("{}"), bytes.Repeat([]byte(" "), n-2)...)}
	}
	const header = 1 + binary.MaxVarintLen32 // a field nobody knows, and its length
	b := append([]byte{15<<3 | 2}, 0x80|byte(n-header)&0x7f, 0x80|byte((n-header)>>7)&0x7f, 0x80|byte((n-header)>>14)&0x7f,
		0x80|byte((n-header)>>21)&0x7f, byte((n-header)>>28))
	return sending{codec, append(b, make([]byte, n-header)...)}
}

// framed sends each request with a length, or in chunks of unknown number.
type framed struct {
	known bool
	http  http.RoundTripper
}

func (f framed) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.GetBody, r.ContentLength = io.NopCloser(bytes.NewReader(body)), nil, -1
	if f.known {
		r.ContentLength = int64(len(body))
	}
	return f.http.RoundTrip(r)
}

// forms are the ways to send one request: by protocol, codec, length, packing.
func forms(t *testing.T, s setup, test func(t *testing.T, codec string, client *http.Client, opts ...connect.ClientOption)) {
	http2 := s.http.Transport.(bearer)
	plain := http2.http.(*http.Transport).Clone()
	plain.Protocols = &http.Protocols{}
	plain.Protocols.SetHTTP1(true)
	plain.TLSClientConfig.NextProtos = []string{"http/1.1"}
	http1 := bearer{http2.token, plain}
	t.Cleanup(plain.CloseIdleConnections)

	options := connect.WithClientOptions()
	for protocol, p := range map[string]struct {
		connect.ClientOption
		http http.RoundTripper
	}{
		"connect": {options, http2}, "connect, HTTP 1": {options, http1},
		"grpc": {connect.WithGRPC(), http2}, "grpcweb": {connect.WithGRPCWeb(), http1},
	} {
		for framing, known := range map[string]bool{"length": true, "chunked": false} {
			for packing, z := range map[string]connect.ClientOption{"plain": options, "gzip": connect.WithSendGzip()} {
				for _, codec := range []string{"proto", "json"} {
					t.Run(strings.Join([]string{protocol, codec, framing, packing}, "/"), func(t *testing.T) {
						test(t, codec, &http.Client{Transport: framed{known, p.http}}, p, z)
					})
				}
			}
		}
	}
}

// counted is what a metric of a procedure and code has counted.
func counted(t *testing.T, name, procedure string, code connect.Code) (n uint64) {
	t.Helper()
	all, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range all {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if family.GetName() == name && labels["procedure"] == procedure && labels["code"] == code.String() {
				n += m.GetHistogram().GetSampleCount() + uint64(m.GetCounter().GetValue())
			}
		}
	}
	return n
}

// unreadable checks one refusal of a request: the fault, the line in the log,
// the count.
func unreadable(t *testing.T, s setup, metric, procedure string, kind fault.Kind, key string, send func() error) *fault.Error {
	t.Helper()
	code := map[fault.Kind]connect.Code{fault.Exhausted: connect.CodeResourceExhausted, fault.Invalid: connect.CodeInvalidArgument}[kind]
	before := counted(t, metric, procedure, code)
	s.log.Reset()
	f := want(t, send(), kind, key)
	if log := s.log.String(); !strings.Contains(log, "reference="+f.Reference) || !strings.Contains(log, "procedure="+procedure) || strings.Count(log, "\n") != 1 {
		t.Errorf("reference %s, log: %s", f.Reference, log)
	}
	if n := counted(t, metric, procedure, code); n != before+1 {
		t.Errorf("counted %d times", n-before)
	}
	return f
}

const (
	unaryMetric  = "trunkline_rpc_seconds"
	streamMetric = "trunkline_rpc_streams_ended_total"
)

func notReached(t *testing.T) svc {
	return svc{me: func(context.Context) (*accessv1.MeResponse, error) {
		t.Error("the handler was reached")
		return &accessv1.MeResponse{}, nil
	}}
}

func TestLargeRequestsAreRefused(t *testing.T) {
	s := serve(t, notReached(t), "agent")
	const procedure = accessv1connect.AccessServiceUpdateProfileProcedure
	forms(t, s, func(t *testing.T, codec string, client *http.Client, opts ...connect.ClientOption) {
		c := connect.NewClient[accessv1.UpdateProfileRequest, accessv1.MeResponse](client, s.url+procedure,
			append(opts, connect.WithCodec(padded(codec, 2*taken)))...)
		f := unreadable(t, s, unaryMetric, procedure, fault.Exhausted, "fault.request.too_large", func() error {
			_, err := c.CallUnary(t.Context(), connect.NewRequest(&accessv1.UpdateProfileRequest{}))
			return err
		})
		if f.Params["max"] != "64 kB" {
			t.Errorf("%+v", f)
		}
	})
}

func TestLargeRequestsForStreamsAreRefused(t *testing.T) {
	s := serve(t, svc{}, "supervisor")
	const procedure = cloudv1connect.LiveServiceWatchFloorProcedure
	forms(t, s, func(t *testing.T, codec string, client *http.Client, opts ...connect.ClientOption) {
		c := connect.NewClient[cloudv1.WatchFloorRequest, cloudv1.Floor](client, s.url+procedure,
			append(opts, connect.WithCodec(padded(codec, 2*taken)))...)
		unreadable(t, s, streamMetric, procedure, fault.Exhausted, "fault.request.too_large", func() error {
			stream, err := c.CallServerStream(t.Context(), connect.NewRequest(&cloudv1.WatchFloorRequest{}))
			if err != nil {
				return err
			}
			defer stream.Close()
			if stream.Receive() {
				t.Error("a floor came")
			}
			return stream.Err()
		})
	})
}

// The largest message a method takes arrives, in each form, and so does what is
// answered to it: it was not taken for Connect's own refusal.
func TestTheLargestRequestIsTaken(t *testing.T) {
	s := serve(t, svc{me: func(context.Context) (*accessv1.MeResponse, error) {
		return nil, fault.New(fault.Exhausted, "fault.ours")
	}}, "agent")
	forms(t, s, func(t *testing.T, codec string, client *http.Client, opts ...connect.ClientOption) {
		c := connect.NewClient[accessv1.UpdateProfileRequest, accessv1.MeResponse](client, s.url+accessv1connect.AccessServiceUpdateProfileProcedure,
			append(opts, connect.WithCodec(padded(codec, taken)))...)
		_, err := c.CallUnary(t.Context(), connect.NewRequest(&accessv1.UpdateProfileRequest{}))
		want(t, err, fault.Exhausted, "fault.ours")
	})
}

// endless is a body without an end.
type endless struct{ sent int }

func (e *endless) Read(b []byte) (int, error) { e.sent += len(b); return len(b), nil }

func TestARequestWithoutEndIsRefused(t *testing.T) {
	s := serve(t, notReached(t), "agent")
	body := &endless{}
	unreadable(t, s, unaryMetric, accessv1connect.AccessServiceUpdateProfileProcedure, fault.Exhausted, "fault.request.too_large", func() error {
		c := connect.NewClient[accessv1.UpdateProfileRequest, accessv1.MeResponse](
			&http.Client{Transport: instead{body, s.http.Transport}}, s.url+accessv1connect.AccessServiceUpdateProfileProcedure)
		_, err := c.CallUnary(t.Context(), connect.NewRequest(&accessv1.UpdateProfileRequest{}))
		return err
	})
}

// instead sends another body.
type instead struct {
	body io.Reader
	http http.RoundTripper
}

func (i instead) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Body, r.GetBody, r.ContentLength = io.NopCloser(i.body), nil, -1
	return i.http.RoundTrip(r)
}

func TestRequestsThatAreNoMessageAreRefused(t *testing.T) {
	s := serve(t, notReached(t), "agent")
	const unary, stream = accessv1connect.AccessServiceUpdateProfileProcedure, cloudv1connect.LiveServiceWatchFloorProcedure
	forms(t, s, func(t *testing.T, codec string, client *http.Client, opts ...connect.ClientOption) {
		opts = append(opts, connect.WithCodec(sending{codec, []byte("{\xff")}))
		unreadable(t, s, unaryMetric, unary, fault.Invalid, "fault.request.unreadable", func() error {
			_, err := connect.NewClient[accessv1.UpdateProfileRequest, accessv1.MeResponse](client, s.url+unary, opts...).
				CallUnary(t.Context(), connect.NewRequest(&accessv1.UpdateProfileRequest{}))
			return err
		})
	})
	s = serve(t, svc{}, "supervisor")
	forms(t, s, func(t *testing.T, codec string, client *http.Client, opts ...connect.ClientOption) {
		opts = append(opts, connect.WithCodec(sending{codec, []byte("{\xff")}))
		unreadable(t, s, streamMetric, stream, fault.Invalid, "fault.request.unreadable", func() error {
			res, err := connect.NewClient[cloudv1.WatchFloorRequest, cloudv1.Floor](client, s.url+stream, opts...).
				CallServerStream(t.Context(), connect.NewRequest(&cloudv1.WatchFloorRequest{}))
			if err != nil {
				return err
			}
			defer res.Close()
			return errors.Join(res.Err(), ended(res))
		})
	})
}

func ended(s *connect.ServerStreamForClient[cloudv1.Floor]) error { s.Receive(); return s.Err() }
