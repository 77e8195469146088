package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/mail"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/emersion/go-smtp"

	"trunkline/cloud/schema"
	"trunkline/internal/fault"
	"trunkline/internal/pg/pgtest"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/proto/gen/trunkline/access/v1/accessv1connect"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// harness is a whole cloud over a database of its own, with a mail server.
type harness struct {
	*Server
	t     *testing.T
	url   string
	mails chan letter
	db    pgtest.Database
}

// letter is a mail as it arrived.
type letter struct{ To, Subject, Body string }

// newHarness starts a cloud; it stops when the test ends.
func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{t: t, mails: make(chan letter, 100), db: pgtest.New(t, schema.Migrate)}
	h.Server = New(Config{
		// A name, as WebAuthn wants it; nothing resolves it.
		PublicURL: "http://trunkline.test", TrustForwarded: true, WebAddr: "127.0.0.1:0", NodeAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0", Data: t.TempDir(),
		DatabaseURL: h.db.App, MigrationURL: h.db.Super,
		SMTPAddr: h.mailServer(), MailFrom: "Trunkline <no-reply@trunkline.test>",
		Log: slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.url = h.Ready().Web
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return h
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// person is somebody with a browser: a cookie jar and the last access token.
type person struct {
	h     *harness
	http  *http.Client
	ip    string // each has an own, or all would share one limit
	token string
	me    *accessv1.MeResponse
}

func (h *harness) person() *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	n := people.Add(1)
	p := &person{h: h, ip: fmt.Sprintf("10.%d.%d.%d", byte(n>>16), byte(n>>8), byte(n))}
	p.http = &http.Client{Jar: jar, Transport: bearer{p}}
	return p
}

var people atomic.Uint32

type bearer struct{ p *person }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", b.p.ip)
	if b.p.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.p.token)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (p *person) access() accessv1connect.AccessServiceClient {
	return accessv1connect.NewAccessServiceClient(p.http, p.h.url)
}

// take keeps the token of a session, as a browser does.
func (p *person) take(s *accessv1.SessionResponse, err error) *accessv1.SessionResponse {
	p.h.t.Helper()
	if err != nil {
		p.h.t.Fatalf("no session: %v", fault.Of(err))
	}
	if s.AccessToken != "" {
		p.token, p.me = s.AccessToken, s.Me
	}
	return s
}

const password = "correct horse battery"

// signUp makes a tenant and gives its owner, signed in.
func (h *harness) signUp(email, company string) *person {
	h.t.Helper()
	p := h.person()
	_, err := p.access().SignUp(h.t.Context(), &accessv1.SignUpRequest{
		Email: email, Password: password, Company: company, Language: "en", DisplayName: "Owner of " + company, TimeZone: "Europe/Berlin",
	})
	if err != nil {
		h.t.Fatal(err)
	}
	m := h.mailTo(email)
	p.take(p.access().ConfirmEmail(h.t.Context(), &accessv1.ConfirmEmailRequest{Token: m.token(h.t)}))
	return p
}

// invite adds a member with roles to the owner's tenant and gives them, signed
// in.
func (p *person) invite(email string, roles ...string) *person {
	t := p.h.t
	t.Helper()
	_, err := p.access().InviteMember(t.Context(), &accessv1.InviteMemberRequest{Email: email, Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	n := p.h.person()
	n.take(n.access().AcceptInvitation(t.Context(), &accessv1.AcceptInvitationRequest{
		Token: p.h.mailTo(email).token(t), DisplayName: strings.Split(email, "@")[0], Password: password,
	}))
	return n
}

// mailTo waits for the next mail to an address.
func (h *harness) mailTo(email string) letter {
	h.t.Helper()
	timeout := time.After(15 * time.Second)
	for {
		select {
		case m := <-h.mails:
			if m.To == email {
				return m
			}
			h.t.Logf("passed over: %s to %s", m.Subject, m.To)
		case <-timeout:
			h.t.Fatalf("no mail to %s", email)
		}
	}
}

var tokenIn = regexp.MustCompile(`token=([A-Za-z0-9_-]+)`)

func (m letter) token(t *testing.T) string {
	t.Helper()
	found := tokenIn.FindStringSubmatch(m.Body)
	if found == nil {
		t.Fatalf("no link in the mail %q:\n%s", m.Subject, m.Body)
	}
	return found[1]
}

var codeIn = regexp.MustCompile(`\b\d{6}\b`)

func (m letter) code() string { return codeIn.FindString(m.Body) }

// wantFault fails unless err is the fault.
func wantFault(t *testing.T, err error, kind fault.Kind, key string) *fault.Error {
	t.Helper()
	f := fault.Of(err)
	if err == nil || f.Kind != kind || f.Key != key {
		t.Fatalf("got %v, want %s %s", err, kind, key)
	}
	if len(f.Reference) != 10 {
		t.Errorf("reference %q of %s", f.Reference, key)
	}
	if _, ok := err.(*connect.Error); !ok {
		t.Errorf("%T is no connect error", err)
	}
	return f
}

// mailServer is a real SMTP server that keeps what it is given.
func (h *harness) mailServer() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{mails: h.mails}, nil }))
	srv.AllowInsecureAuth = true
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	h.t.Cleanup(func() { _ = srv.Close(); <-done })
	return l.Addr().String()
}

type mailSession struct {
	mails chan letter
	to    string
}

func (s *mailSession) Reset()                                    {}
func (s *mailSession) Logout() error                             { return nil }
func (s *mailSession) Mail(string, *smtp.MailOptions) error      { return nil }
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return nil }

func (s *mailSession) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		return err
	}
	s.mails <- letter{To: s.to, Subject: m.Header.Get("Subject"), Body: string(body)}
	return nil
}
