package harness

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-smtp"
)

// maxMails bounds what a mailbox keeps; the oldest go first.
const maxMails = 500

// Mail is one received message, as a person would read it.
type Mail struct {
	At      time.Time
	To      string
	Subject string
	Text    string
}

// Mailbox is a real SMTP server that keeps what it is sent and shows it as a page.
type Mailbox struct {
	smtp *smtp.Server
	file string // one mail a line
	smtpLn,
	webLn net.Listener
	web *http.Server

	mu    sync.Mutex
	mails []Mail
	came  chan struct{} // closed and replaced when a mail arrives
}

// StartMailbox listens for SMTP and HTTP on the given addresses. What came is
// kept in file, and read from there at the next start.
func StartMailbox(smtpAddr, webAddr, file string) (*Mailbox, error) {
	m := &Mailbox{came: make(chan struct{}), file: file}
	err := m.load()
	if err != nil {
		return nil, err
	}
	if m.smtpLn, err = net.Listen("tcp", smtpAddr); err != nil {
		return nil, err
	}
	if m.webLn, err = net.Listen("tcp", webAddr); err != nil {
		_ = m.smtpLn.Close()
		return nil, err
	}
	m.smtp = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{box: m}, nil }))
	m.smtp.Domain = "localhost"
	m.smtp.MaxMessageBytes = 10 << 20
	m.smtp.ReadTimeout, m.smtp.WriteTimeout = 10*time.Second, 10*time.Second
	m.web = &http.Server{Handler: http.HandlerFunc(m.page), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = m.smtp.Serve(m.smtpLn) }()
	go func() { _ = m.web.Serve(m.webLn) }()
	return m, nil
}

// SMTPAddr is where mail is sent to.
func (m *Mailbox) SMTPAddr() string { return m.smtpLn.Addr().String() }

// WebAddr is where mail is read.
func (m *Mailbox) WebAddr() string { return m.webLn.Addr().String() }

// Stop closes both servers.
func (m *Mailbox) Stop() {
	_ = m.smtp.Close()
	_ = m.web.Close()
}

// Wait returns the newest mail to an address that match accepts, waiting for it.
func (m *Mailbox) Wait(ctx context.Context, to string, match func(Mail) bool) (Mail, error) {
	for {
		m.mu.Lock()
		came := m.came
		for i := len(m.mails) - 1; i >= 0; i-- {
			if strings.EqualFold(m.mails[i].To, to) && (match == nil || match(m.mails[i])) {
				found := m.mails[i]
				m.mu.Unlock()
				return found, nil
			}
		}
		m.mu.Unlock()
		select {
		case <-came:
		case <-ctx.Done():
			return Mail{}, fmt.Errorf("no mail to %s: %w", to, ctx.Err())
		}
	}
}

func (m *Mailbox) add(got Mail) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mails = append(m.mails, got)
	if len(m.mails) > maxMails {
		m.mails = m.mails[len(m.mails)-maxMails:]
	}
	close(m.came)
	m.came = make(chan struct{})
	return m.keep(got)
}

// load reads the newest mails of the file and forgets the others.
func (m *Mailbox) load() error {
	b, err := os.ReadFile(m.file)
	if errors.Is(err, os.ErrNotExist) {
		return os.MkdirAll(filepath.Dir(m.file), 0o700)
	}
	if err != nil {
		return err
	}
	for line := range bytes.Lines(b) {
		var mail Mail
		if json.Unmarshal(line, &mail) == nil { // the last line may be torn
			m.mails = append(m.mails, mail)
		}
	}
	m.mails = m.mails[max(0, len(m.mails)-maxMails):]
	if err := os.Remove(m.file); err != nil {
		return err
	}
	return m.keep(m.mails...)
}

func (m *Mailbox) keep(mails ...Mail) error {
	f, err := os.OpenFile(m.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	to := json.NewEncoder(f)
	for _, mail := range mails {
		err = errors.Join(err, to.Encode(mail))
	}
	return errors.Join(err, f.Close())
}

type mailSession struct {
	box *Mailbox
	to  []string
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	subject, text, err := readMail(r)
	if err != nil {
		return err
	}
	for _, to := range s.to {
		if err := s.box.add(Mail{At: time.Now(), To: to, Subject: subject, Text: text}); err != nil {
			return err
		}
	}
	return nil
}

func (s *mailSession) Reset()        { s.to = nil }
func (s *mailSession) Logout() error { return nil }

// readMail takes subject and plain text of a message.
func readMail(r io.Reader) (subject, text string, err error) {
	mr, err := mail.CreateReader(r)
	if err != nil {
		return "", "", err
	}
	if subject, err = mr.Header.Subject(); err != nil {
		return "", "", err
	}
	for {
		part, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			return subject, text, nil
		}
		if err != nil {
			return "", "", err
		}
		if h, ok := part.Header.(*mail.InlineHeader); ok {
			if kind, _, _ := h.ContentType(); kind == "text/plain" && text == "" {
				b, err := io.ReadAll(part.Body)
				if err != nil {
					return "", "", err
				}
				text = string(b)
			}
		}
	}
}

//go:embed mailbox.html
var mailboxHTML string

var mailboxPage = template.Must(template.New("mailbox").Funcs(template.FuncMap{"links": links}).Parse(mailboxHTML))

// links makes addresses in a text clickable; everything else is escaped.
func links(text string) template.HTML {
	var out strings.Builder
	for _, word := range strings.SplitAfter(text, "\n") {
		trimmed := strings.TrimSpace(word)
		safe := template.HTMLEscapeString(word)
		if strings.HasPrefix(trimmed, "http://") || strings.HasPrefix(trimmed, "https://") {
			href := template.HTMLEscapeString(trimmed)
			safe = `<a href="` + href + `">` + href + "</a>\n"
		}
		out.WriteString(safe)
	}
	return template.HTML(out.String()) //nolint:gosec // every part is escaped above
}

func (m *Mailbox) page(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	newest := make([]Mail, 0, len(m.mails))
	for i := len(m.mails) - 1; i >= 0; i-- {
		newest = append(newest, m.mails[i])
	}
	m.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = mailboxPage.Execute(w, newest)
}
