package mailer

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gomessage "github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // reads what people's mail programs read
	"github.com/emersion/go-smtp"
	"github.com/jackc/pgx/v5"

	"trunkline/cloud/schema"
	"trunkline/internal/pg/pgtest"
	"trunkline/tenants/jobs"
	"trunkline/tenants/tenantdb"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var placeholder = regexp.MustCompile(`\{\w+\}`)

// Every text is there in both languages, with the same placeholders.
func TestTextsSayTheSameInBothLanguages(t *testing.T) {
	for name, in := range texts {
		all := map[string][]string{}
		for _, language := range []string{"en", "zh-Hans"} {
			w, ok := in[language]
			if !ok || w.subject == "" || w.body == "" {
				t.Errorf("%s lacks %s", name, language)
			}
			found := placeholder.FindAllString(w.subject+w.body, -1)
			slices.Sort(found)
			all[language] = slices.Compact(found)
		}
		if !slices.Equal(all["en"], all["zh-Hans"]) {
			t.Errorf("%s: %v and %v", name, all["en"], all["zh-Hans"])
		}
		params := Params{}
		for _, p := range all["en"] {
			params[strings.Trim(p, "{}")] = "x"
		}
		subject, body, err := name.render("zh-Hans", params)
		if err != nil || placeholder.MatchString(subject+body) {
			t.Errorf("%s: %v, %v", name, placeholder.FindAllString(subject+body, -1), err)
		}
	}
}

func TestAValueCannotWriteTheMail(t *testing.T) {
	subject, body, err := Invitation.render("en", Params{"company": "X\r\nBcc: a@b.example\r\n\r\nBuy now {link}", "inviter": "Ada", "link": "https://good"})
	if err != nil || strings.ContainsAny(subject, "\r\n") || strings.Contains(body, "\nBuy") || strings.Count(body, "https://good") != 1 {
		t.Errorf("%q\n%s", subject, body)
	}
}

// server is a mail server that answers as told.
type server struct {
	net.Listener
	down   atomic.Bool // turns away whoever comes
	got    chan string
	refuse chan error // one answer per mail; empty = accept
}

// Accept implements net.Listener.
func (s *server) Accept() (net.Conn, error) {
	for {
		conn, err := s.Listener.Accept()
		if err != nil || !s.down.Load() {
			return conn, err
		}
		conn.Close()
	}
}

func (s *server) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s}, nil }

type session struct{ *server }

func (*session) Reset()                               {}
func (*session) Logout() error                        { return nil }
func (*session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Rcpt(string, *smtp.RcptOptions) error {
	select {
	case err := <-s.refuse:
		return err
	default:
		return nil
	}
}

func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.got <- string(b)
	return err
}

// bench is a database, a mail server and a mailer whose jobs do not run yet.
type bench struct {
	*server
	t  *testing.T
	pg pgtest.Database
	db *tenantdb.DB
	m  *Mailer
}

func open(t *testing.T) *bench {
	t.Helper()
	b := silent(t)
	srv := smtp.NewServer(b.server)
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(b.server) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return b
}

// silent is open, but nobody serves who connects to the mail server.
func silent(t *testing.T) *bench {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	b := &bench{server: &server{Listener: l, got: make(chan string, 100), refuse: make(chan error, 10)}, t: t}
	b.pg = pgtest.New(t, schema.Migrate)
	if b.db, err = tenantdb.Open(t.Context(), b.pg.App); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.db.Close)
	b.m = b.mailer(Config{Addr: l.Addr().String(), From: "Trunkline <no-reply@trunkline.test>"})
	return b
}

func (b *bench) mailer(cfg Config) *Mailer {
	b.t.Helper()
	m, err := New(b.db, cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return m
}

// start has a replica of the cloud send mail.
func (b *bench) start(m *Mailer) *jobs.Jobs {
	b.t.Helper()
	j := jobs.New(b.pg.App, slog.New(slog.DiscardHandler))
	m.AddJobs(j)
	if err := j.Start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { b.stop(j) })
	return j
}

func (b *bench) stop(j *jobs.Jobs) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := j.Stop(ctx); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) queue(to, language string) {
	b.t.Helper()
	err := b.db.Platform(b.t.Context(), "test", func(ctx context.Context, tx pgx.Tx) error {
		return b.m.Queue(ctx, tx, 0, to, language, ConfirmSignUp,
			Params{"company": "蓝天科技", "link": "https://x.example/confirm?token=" + strings.Repeat("a", 90), "code": "123456"})
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// next is the next mail that comes.
func (b *bench) next() string {
	b.t.Helper()
	select {
	case raw := <-b.got:
		return raw
	case <-time.After(3 * time.Minute):
		b.t.Fatal("no mail came")
		return ""
	}
}

// until waits until an expression has these values for the mails, oldest first.
func (b *bench) until(expr string, want ...string) {
	b.t.Helper()
	b.pg.Await(b.t, "SELECT "+expr+"::text FROM river.river_job WHERE kind = 'mail' ORDER BY id", want...)
}

// now has the mails tried now that wait for their next attempt.
func (b *bench) now() {
	b.t.Helper()
	b.pg.Rows(b.t, "UPDATE river.river_job SET state = 'available', scheduled_at = now() WHERE kind = 'mail' AND state = 'retryable' RETURNING kind")
	b.pg.Rows(b.t, "SELECT pg_notify('river.river_insert', '{\"queue\":\"mail\"}')::text")
}

func TestMailIsReadable(t *testing.T) {
	b := open(t)
	b.start(b.m)
	b.queue("ada@x.example", "zh-Hans")
	raw := b.next()
	for line := range strings.SplitSeq(raw, "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("a line RFC 5322 does not allow: %q", line)
		}
	}
	e, err := gomessage.Read(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	subject, _ := e.Header.Text("Subject")
	body, err := io.ReadAll(e.Body)
	if err != nil || subject != "请确认您的邮箱地址" || !strings.Contains(string(body), "“蓝天科技”") || !strings.Contains(string(body), strings.Repeat("a", 90)) {
		t.Errorf("%q\n%s", subject, body)
	}
	if to, err := mail.ParseAddress(e.Header.Get("To")); err != nil || to.Address != "ada@x.example" {
		t.Error(to, err)
	}
	b.until("concat_ws(' ', state, args->>'body')", "completed ") // keeps no link that was sent
}

// One bad address does not keep the others waiting, and is tried again later.
func TestARefusedMailIsTriedAgain(t *testing.T) {
	b := open(t)
	b.refuse <- &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "mailbox busy"}
	b.queue("first@x.example", "en")
	b.start(b.m)
	b.until("concat(state, errors[1]->>'error' LIKE '%mailbox busy%')", "retryablet")
	b.until("(scheduled_at - attempted_at > interval '8 s')", "true")
	b.queue("second@x.example", "en")
	if raw := b.next(); !strings.Contains(raw, "second@x.example") {
		t.Error(raw)
	}
	b.now()
	if raw := b.next(); !strings.Contains(raw, "first@x.example") {
		t.Error(raw)
	}
	b.until("state", "completed", "completed")
}

// Nobody has that address: trying again would only harm our name. What may be our
// own set-up's fault is tried again, whatever the server says.
func TestAnAddressThatDoesNotExist(t *testing.T) {
	b := open(t)
	b.refuse <- &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	b.queue("nobody@x.example", "en")
	b.start(b.m)
	b.until("state", "cancelled")
	b.refuse <- &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "relay access denied"}
	b.queue("somebody@x.example", "en")
	b.until("state", "cancelled", "retryable")
}

// A mail outlasts an outage of the mail server, and a new start of ours within it.
func TestMailIsSentWhenTheServerIsBack(t *testing.T) {
	b := open(t)
	b.down.Store(true)
	j := b.start(b.m)
	b.queue("ada@x.example", "en")
	b.until("concat(state, attempt)", "retryable1")
	b.now()
	b.until("concat(state, attempt)", "retryable2")
	b.stop(j)
	b.down.Store(false)
	b.start(b.m)
	b.now()
	if raw := b.next(); !strings.Contains(raw, "123456") {
		t.Error(raw)
	}
	b.until("concat(state, attempt)", "completed3")
}

// A server that accepts the connection and then says nothing does not hold up a
// stop, and the attempt does not count.
func TestASilentServerDoesNotHoldUpAStop(t *testing.T) {
	b := silent(t)
	j := b.start(b.m)
	b.queue("ada@x.example", "en")
	conn, err := b.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b.stop(j)
	b.until("concat(state, attempt)", "available0")
}

func TestTwoReplicasSendEachMailOnce(t *testing.T) {
	const n = 50
	b := open(t)
	b.start(b.m)
	b.start(b.mailer(b.m.cfg))
	for i := range n {
		b.queue(fmt.Sprintf("p%d@x.example", i), "en")
	}
	want := make([]string, n)
	for i := range want {
		want[i] = "completed"
	}
	b.until("state", want...)
	seen := map[string]bool{}
	for len(b.got) > 0 {
		e, err := mail.ReadMessage(strings.NewReader(<-b.got))
		if err != nil {
			t.Fatal(err)
		}
		if to := e.Header.Get("To"); seen[to] {
			t.Error("sent twice:", to)
		} else {
			seen[to] = true
		}
	}
	if len(seen) != n {
		t.Errorf("%d mails came", len(seen))
	}
}

// Without a mail server mail is kept, untried, until there is one.
func TestWithoutAMailServerMailIsKept(t *testing.T) {
	b := open(t)
	cfg := b.m.cfg
	cfg.Addr = ""
	j := b.start(b.mailer(cfg))
	b.queue("ada@x.example", "en")
	b.until("concat(state, attempt)", "available0")
	b.stop(j)
	b.start(b.m)
	b.next()
	b.until("concat(state, attempt)", "completed1")
}

// What the release before has in its outbox is sent once, by one of the two.
func TestTheOutboxOfTheReleaseBefore(t *testing.T) {
	b := open(t)
	b.pg.Rows(t, `INSERT INTO mail_outbox (id, recipient, subject, body, language, created_at, next_at, attempts, sent_at) VALUES
		('due', 'due@x.example', 's', 'b', 'en', now(), now(), 3, NULL),
		('being sent', 'later@x.example', 's', 'b', 'en', now(), now() + interval '1 hour', 1, NULL),
		('given up', 'never@x.example', 's', 'b', 'en', now(), now(), 12, NULL),
		('sent', 'sent@x.example', 's', '', 'en', now(), now(), 1, now()),
		('old', 'old@x.example', 's', '', 'en', now() - interval '31 days', now(), 1, now()) RETURNING id`)
	b.start(b.m)
	if raw := b.next(); !strings.Contains(raw, "due@x.example") || !strings.Contains(raw, "<due@trunkline.test>") {
		t.Error(raw)
	}
	b.until("state", "completed")
	if left := b.pg.Rows(b.t, "SELECT id FROM mail_outbox ORDER BY id"); !slices.Equal(left, []string{"being sent", "given up", "sent"}) {
		t.Error(left)
	}
}

func TestASenderThatIsNoAddress(t *testing.T) {
	if _, err := New(nil, Config{From: "nobody"}); err == nil {
		t.Error("took it")
	}
}
