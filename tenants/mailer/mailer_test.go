package mailer

import (
	"context"
	"io"
	"net"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gomessage "github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // reads what people's mail programs read
	"github.com/emersion/go-smtp"
	"github.com/jackc/pgx/v5"

	"trunkline/cloud/schema"
	"trunkline/internal/pg/pgtest"
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
	got    chan string
	refuse chan error // one answer per mail; empty = accept
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

func start(t *testing.T) (*Mailer, *server, *tenantdb.DB) {
	t.Helper()
	back := &server{got: make(chan string, 100), refuse: make(chan error, 10)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := smtp.NewServer(back)
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	db, err := tenantdb.Open(t.Context(), pgtest.New(t, schema.Migrate).App)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(db, Config{Addr: l.Addr().String(), From: "Trunkline <no-reply@trunkline.test>"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(); _ = srv.Close(); <-done })
	return m, back, db
}

func queue(t *testing.T, m *Mailer, db *tenantdb.DB, to, language string) {
	t.Helper()
	err := db.Platform(t.Context(), "test", func(ctx context.Context, tx pgx.Tx) error {
		return m.Queue(ctx, tx, to, language, ConfirmSignUp, Params{"company": "蓝天科技", "link": "https://x.example/confirm?token=" + strings.Repeat("a", 90), "code": "123456"})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMailIsReadable(t *testing.T) {
	m, back, db := start(t)
	queue(t, m, db, "ada@x.example", "zh-Hans")
	if n, err := m.sendDue(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	raw := <-back.got
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
	if n, err := m.sendDue(t.Context()); n != 0 || err != nil {
		t.Error("sent twice:", n, err)
	}
	text, err := platform[string](t, db, "SELECT body FROM mail_outbox")
	if err != nil || text != "" {
		t.Errorf("kept a link that was sent: %q, %v", text, err)
	}
}

func platform[T any](t *testing.T, db *tenantdb.DB, sql string) (out T, err error) {
	err = db.Platform(t.Context(), "test", func(ctx context.Context, tx pgx.Tx) (err error) {
		out, err = tenantdb.TxOne[T](ctx, tx, sql)
		return err
	})
	return out, err
}

// One bad address does not keep the others waiting, and is tried again later.
func TestARefusedMailIsTriedAgain(t *testing.T) {
	m, back, db := start(t)
	back.refuse <- &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "mailbox busy"}
	queue(t, m, db, "first@x.example", "en")
	queue(t, m, db, "second@x.example", "en")
	if n, err := m.sendDue(t.Context()); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if len(back.got) != 1 {
		t.Fatalf("%d mails went out", len(back.got))
	}
	type row struct {
		Attempts int
		Error    string
		NextAt   time.Time
	}
	r, err := platform[row](t, db, "SELECT attempts, error, next_at FROM mail_outbox WHERE sent_at IS NULL")
	if err != nil || r.Attempts != 1 || !strings.Contains(r.Error, "mailbox busy") || time.Until(r.NextAt) < 5*time.Second {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := platform[bool](t, db, "UPDATE mail_outbox SET next_at = now() WHERE sent_at IS NULL RETURNING true"); err != nil {
		t.Fatal(err)
	}
	if n, err := m.sendDue(t.Context()); n != 1 || err != nil || len(back.got) != 2 {
		t.Errorf("%d, %v, %d", n, err, len(back.got))
	}
}

func TestTheLoopSendsWhenWoken(t *testing.T) {
	m, back, db := start(t)
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer m.Stop(context.Background())
	queue(t, m, db, "ada@x.example", "en")
	m.Wake()
	select {
	case raw := <-back.got:
		if !strings.Contains(raw, "123456") {
			t.Error(raw)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
	}
}

func TestASenderThatIsNoAddress(t *testing.T) {
	if _, err := New(nil, Config{From: "nobody"}); err == nil {
		t.Error("took it")
	}
}
