package mailer

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"strings"
	"time"
)

const sendTimeout = 30 * time.Second

func parseFrom(from string) (*mail.Address, error) {
	a, err := mail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("sender of mail %q: %w", from, err)
	}
	return a, nil
}

// send sends the mails over one connection and gives the failures by id.
func (m *Mailer) send(ctx context.Context, due []queued) map[string]string {
	failures := map[string]string{}
	client, err := m.connect(ctx)
	if err != nil {
		for _, q := range due {
			failures[q.ID] = err.Error()
		}
		return failures
	}
	defer client.Close()
	for _, q := range due {
		if err := m.deliver(client, q); err != nil {
			failures[q.ID] = err.Error()
			if client.Reset() != nil {
				break // the rest is tried again
			}
		}
	}
	_ = client.Quit() // what was accepted is accepted
	return failures
}

// connect dials the server and encrypts when it offers to. A password is never
// sent unencrypted, except to this machine.
func (m *Mailer) connect(ctx context.Context) (*smtp.Client, error) {
	host, port, err := net.SplitHostPort(m.cfg.Addr)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: sendTimeout}
	conn, err := d.DialContext(ctx, "tcp", m.cfg.Addr)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	tlsConfig := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if port == "465" { // implicit TLS, RFC 8314
		conn = tls.Client(conn, tlsConfig)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if ok, _ := c.Extension("STARTTLS"); ok && port != "465" {
		if err := c.StartTLS(tlsConfig); err != nil {
			c.Close()
			return nil, err
		}
	}
	if m.cfg.User != "" {
		if err := c.Auth(smtp.PlainAuth("", m.cfg.User, m.cfg.Pass, host)); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

func (m *Mailer) deliver(c *smtp.Client, q queued) error {
	from, err := parseFrom(m.cfg.From)
	if err != nil {
		return err
	}
	if err := c.Mail(from.Address); err != nil {
		return err
	}
	if err := c.Rcpt(q.Recipient); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(message(from, q)); err != nil {
		return err
	}
	return w.Close()
}

// message writes the mail as RFC 5322 wants it: text only, UTF-8.
func message(from *mail.Address, q queued) []byte {
	var b bytes.Buffer
	_, domain, _ := strings.Cut(from.Address, "@")
	header := func(k, v string) { fmt.Fprintf(&b, "%s: %s\r\n", k, v) }
	header("From", from.String())
	header("To", (&mail.Address{Address: q.Recipient}).String())
	header("Subject", mime.QEncoding.Encode("utf-8", q.Subject))
	header("Date", q.CreatedAt.UTC().Format(time.RFC1123Z))
	header("Message-ID", "<"+q.ID+"@"+domain+">") // the same at each attempt
	header("Auto-Submitted", "auto-generated")    // RFC 3834: no out-of-office answers
	header("Content-Language", q.Language)
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.ReplaceAll(q.Body, "\n", "\r\n"))) // to memory
	_ = w.Close()
	return b.Bytes()
}
