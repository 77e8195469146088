package rpcx_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"trunkline/internal/fault"
	"trunkline/internal/grant"
	"trunkline/internal/rpcx"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/proto/gen/trunkline/access/v1/accessv1connect"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
)

// svc answers Me and UpdateProfile as each test wants.
type svc struct {
	accessv1connect.UnimplementedAccessServiceHandler
	me func(ctx context.Context) (*accessv1.MeResponse, error)
}

func (s svc) Me(ctx context.Context, _ *accessv1.MeRequest) (*accessv1.MeResponse, error) {
	return s.me(ctx)
}

func (s svc) UpdateProfile(ctx context.Context, _ *accessv1.UpdateProfileRequest) (*accessv1.MeResponse, error) {
	return s.me(ctx)
}

func (s svc) SignOut(ctx context.Context, _ *accessv1.SignOutRequest) (*accessv1.Done, error) {
	_, err := s.me(ctx)
	return &accessv1.Done{}, err
}

type floor struct {
	cloudv1connect.UnimplementedLiveServiceHandler
}

// WatchFloor sends one message and, from an epoch on, waits for the end.
func (floor) WatchFloor(ctx context.Context, r *cloudv1.WatchFloorRequest, s *connect.ServerStream[cloudv1.Floor]) error {
	if err := s.Send(&cloudv1.Floor{Seq: 1}); err != nil || r.Epoch == 0 {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

type setup struct {
	access accessv1connect.AccessServiceClient
	live   cloudv1connect.LiveServiceClient
	http   *http.Client
	url    string
	log    *bytes.Buffer
	banned *atomic.Bool // open streams of everybody end
}

// taken is how large a message the methods of some tests take.
const taken = 64 << 10

// serve runs the services behind the chain. The bearer token "agent" or "owner"
// is a member's, "bad" is refused.
func serve(t *testing.T, s svc, token string) setup {
	t.Helper()
	var log bytes.Buffer
	var banned atomic.Bool
	opts := rpcx.Options(rpcx.Config{
		RecheckEvery: time.Millisecond,
		Recheck: func(c rpcx.Caller) error {
			if banned.Load() && c.Claims.Account == "a" {
				return fault.New(fault.Unauthenticated, "fault.session.revoked")
			}
			return nil
		},
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		MaxBytes: map[string]int{
			accessv1connect.AccessServiceUpdateProfileProcedure: taken,
			cloudv1connect.LiveServiceWatchFloorProcedure:       taken,
		},
		Authenticate: func(_ context.Context, h http.Header, _ *tls.ConnectionState) (rpcx.Caller, error) {
			switch token := rpcx.Bearer(h); token {
			case "":
				return rpcx.Caller{}, nil
			case "bad":
				return rpcx.Caller{}, fault.New(fault.Unauthenticated, "fault.session.invalid")
			default:
				return rpcx.Caller{Claims: grant.Claims{Account: "a", Membership: "m", Tenant: 7, Roles: []string{token}}}, nil
			}
		},
	})
	mux := http.NewServeMux()
	mux.Handle(accessv1connect.NewAccessServiceHandler(s, opts...))
	mux.Handle(cloudv1connect.NewLiveServiceHandler(floor{}, opts...))
	srv := httptest.NewUnstartedServer(rpcx.Transport(mux, false))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	client := &http.Client{Transport: bearer{token, srv.Client().Transport}}
	return setup{
		access: accessv1connect.NewAccessServiceClient(client, srv.URL), live: cloudv1connect.NewLiveServiceClient(client, srv.URL),
		http: client, url: srv.URL, log: &log, banned: &banned,
	}
}

type bearer struct {
	token string
	http  http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.http.RoundTrip(r)
}

func want(t *testing.T, err error, kind fault.Kind, key string) *fault.Error {
	t.Helper()
	f := fault.Of(err)
	if err == nil || f.Kind != kind || f.Key != key || len(f.Reference) != 10 {
		t.Fatalf("got %v (%s), want %s %s", err, f.Reference, kind, key)
	}
	return f
}

func fine(context.Context) (*accessv1.MeResponse, error) { return &accessv1.MeResponse{}, nil }

func TestTheCallerIsKnown(t *testing.T) {
	s := serve(t, svc{me: func(ctx context.Context) (*accessv1.MeResponse, error) {
		c, ok := rpcx.CallerFrom(ctx)
		if !ok || c.Claims.Account != "a" || rpcx.TenantFrom(ctx) != 7 || c.IP != "127.0.0.1" || rpcx.RemoteIP(ctx) != c.IP {
			t.Errorf("%+v", c)
		}
		return fine(ctx)
	}}, "agent")
	if _, err := s.access.Me(t.Context(), &accessv1.MeRequest{}); err != nil {
		t.Fatal(err)
	}
}

func TestPermissions(t *testing.T) {
	_, err := serve(t, svc{me: fine}, "").access.Me(t.Context(), &accessv1.MeRequest{})
	want(t, err, fault.Unauthenticated, "fault.session.missing")
	_, err = serve(t, svc{me: fine}, "bad").access.Me(t.Context(), &accessv1.MeRequest{})
	want(t, err, fault.Unauthenticated, "fault.session.invalid")
	// A public method is open even to a bearer of a bad token: to get a good one.
	if _, err = serve(t, svc{me: fine}, "bad").access.SignOut(t.Context(), &accessv1.SignOutRequest{}); err != nil {
		t.Error(err)
	}
	_, err = serve(t, svc{me: fine}, "agent").access.ListMembers(t.Context(), &accessv1.ListMembersRequest{})
	want(t, err, fault.Forbidden, "fault.forbidden")
}

func TestStreamsAreGuardedToo(t *testing.T) {
	stream, err := serve(t, svc{}, "supervisor").live.WatchFloor(t.Context(), &cloudv1.WatchFloorRequest{})
	if err != nil || !stream.Receive() || stream.Msg().Seq != 1 {
		t.Fatal(err, stream.Err())
	}
	stream.Close()
	stream, err = serve(t, svc{}, "agent").live.WatchFloor(t.Context(), &cloudv1.WatchFloorRequest{})
	if err == nil && stream.Receive() {
		t.Fatal("an agent watched the floor")
	}
	want(t, errors.Join(err, stream.Err()), fault.Forbidden, "fault.forbidden")
	stream.Close()
}

func TestAStreamEndsWithItsCallersRight(t *testing.T) {
	s := serve(t, svc{}, "supervisor")
	stream, err := s.live.WatchFloor(t.Context(), &cloudv1.WatchFloorRequest{Epoch: 1})
	if err != nil || !stream.Receive() {
		t.Fatal(err, stream.Err())
	}
	defer stream.Close()
	s.banned.Store(true)
	if stream.Receive() {
		t.Fatal("the stream goes on")
	}
	want(t, stream.Err(), fault.Unauthenticated, "fault.session.revoked")
}

func TestDefectsAreLoggedWithTheReferenceThePersonSees(t *testing.T) {
	for name, me := range map[string]func(context.Context) (*accessv1.MeResponse, error){
		"error": func(context.Context) (*accessv1.MeResponse, error) { return nil, errors.New("disk hunter2 broken") },
		"panic": func(context.Context) (*accessv1.MeResponse, error) { panic("hunter2") },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, svc{me: me}, "agent")
			_, err := s.access.Me(t.Context(), &accessv1.MeRequest{})
			f := want(t, err, fault.Internal, "fault.internal")
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the cause went over the wire")
			}
			if log := s.log.String(); !strings.Contains(log, f.Reference) || !strings.Contains(log, "hunter2") || strings.Count(log, "level=ERROR") != 1 {
				t.Errorf("log: %s", log)
			}
		})
	}
}

func TestFaultsPassAsTheyAre(t *testing.T) {
	s := serve(t, svc{me: func(context.Context) (*accessv1.MeResponse, error) {
		return nil, fault.New(fault.Conflict, "fault.x", "n", "5").WithField("f")
	}}, "agent")
	_, err := s.access.Me(t.Context(), &accessv1.MeRequest{})
	if f := want(t, err, fault.Conflict, "fault.x"); f.Params["n"] != "5" || f.Field != "f" {
		t.Errorf("%+v", f)
	}
}

func TestRulesAreChecked(t *testing.T) {
	s := serve(t, svc{me: fine}, "agent")
	_, err := s.access.UpdateProfile(t.Context(), &accessv1.UpdateProfileRequest{DisplayName: strings.Repeat("x", 121)})
	if f := want(t, err, fault.Invalid, "fault.field.too_long"); f.Field != "display_name" || f.Params["max"] != "120" {
		t.Errorf("%+v", f)
	}
}
