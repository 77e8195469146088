package mailer

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"trunkline/tenants/jobs"
)

const (
	dialTimeout = 30 * time.Second
	sendTimeout = time.Minute // with dialling
)

func parseFrom(from string) (*mail.Address, error) {
	a, err := mail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("sender of mail %q: %w", from, err)
	}
	return a, nil
}

// send gives one mail to the mail server. It ends when ctx does.
func (m *Mailer) send(ctx context.Context, mail Mail) error {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", m.cfg.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // net/smtp knows no context
	defer stop()
	if err := m.converse(conn, mail); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	return nil
}

func (m *Mailer) converse(conn net.Conn, mail Mail) error {
	client, err := m.greet(conn)
	if err != nil {
		return err
	}
	if err := m.deliver(client, mail); err != nil {
		return err
	}
	_ = client.Quit() // what was accepted is accepted
	return nil
}

// greet encrypts when the server offers to. A password is never sent unencrypted,
// except to this machine.
func (m *Mailer) greet(conn net.Conn) (*smtp.Client, error) {
	host, port, err := net.SplitHostPort(m.cfg.Addr)
	if err != nil {
		return nil, err
	}
	tlsConfig := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if port == "465" { // implicit TLS, RFC 8314
		conn = tls.Client(conn, tlsConfig)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return nil, err
	}
	if ok, _ := c.Extension("STARTTLS"); ok && port != "465" {
		if err := c.StartTLS(tlsConfig); err != nil {
			return nil, err
		}
	}
	if m.cfg.User == "" {
		return c, nil
	}
	return c, c.Auth(smtp.PlainAuth("", m.cfg.User, m.cfg.Pass, host))
}

func (m *Mailer) deliver(c *smtp.Client, q Mail) error {
	from, err := parseFrom(m.cfg.From)
	if err != nil {
		return err
	}
	if err := c.Mail(from.Address); err != nil {
		return err
	}
	if err := c.Rcpt(q.To); noSuchAddress(err) {
		return jobs.GiveUp(err)
	} else if err != nil {
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

// badAddress are the statuses of an address that cannot receive mail (RFC 3463,
// section 3.2; RFC 7505 for 5.1.10). Any other refusal may be our own set-up's
// fault, which somebody repairs.
var badAddress = []string{"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"}

func noSuchAddress(err error) bool {
	reply, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		return false
	}
	status, _, _ := strings.Cut(reply.Msg, " ")
	return slices.Contains(badAddress, status)
}

// message writes the mail as RFC 5322 wants it: text only, UTF-8.
func message(from *mail.Address, q Mail) []byte {
	var b bytes.Buffer
	_, domain, _ := strings.Cut(from.Address, "@")
	header := func(k, v string) { fmt.Fprintf(&b, "%s: %s\r\n", k, v) }
	header("From", from.String())
	header("To", (&mail.Address{Address: q.To}).String())
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
