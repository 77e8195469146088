// Package mailer sends mail to people. A mail is queued in the transaction that
// causes it, so that it goes out if and only if that commits, and is then sent
// by SMTP with retries. Texts are in English and simplified Chinese, plain text:
// nothing in them needs more.
package mailer

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/life"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// Config of the way out.
type Config struct {
	Addr string // host:port of the mail server; "" keeps mail in the outbox
	User string // "" = no authentication
	Pass string
	From string // "Name <address>"
}

// Mailer queues and sends.
type Mailer struct {
	cfg  Config
	db   *tenantdb.DB
	loop life.Service
	wake chan struct{}
}

// New checks the sender's address.
func New(db *tenantdb.DB, cfg Config) (*Mailer, error) {
	if _, err := parseFrom(cfg.From); err != nil {
		return nil, err
	}
	m := &Mailer{cfg: cfg, db: db, wake: make(chan struct{}, 1)}
	m.loop = life.Loop("mail", m.run)
	return m, nil
}

// Start begins to send what is queued.
func (m *Mailer) Start(ctx context.Context) error { return m.loop.Start(ctx) }

// Stop ends that; unsent mail stays queued.
func (m *Mailer) Stop(ctx context.Context) error { return m.loop.Stop(ctx) }

// Queue puts a mail into the outbox, in a Platform transaction. Call Wake after
// the commit to have it sent at once rather than within seconds.
func (m *Mailer) Queue(ctx context.Context, tx pgx.Tx, to, language string, text Text, params Params) error {
	subject, body, err := text.render(language, params)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO mail_outbox (id, recipient, subject, body, language) VALUES ($1, $2, $3, $4, $5)",
		tenants.NewID(), to, subject, body, language)
	return err
}

// Wake has the outbox looked at now.
func (m *Mailer) Wake() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

const (
	pollEvery   = 5 * time.Second
	maxAttempts = 12 // with the pauses of retryAfter: about a day
	batchSize   = 20
	// keepSent is how long a sent mail stays, without its body.
	keepSent = 30 * 24 * time.Hour
)

func (m *Mailer) run(ctx context.Context) error {
	if m.cfg.Addr == "" {
		slog.WarnContext(ctx, "no mail server is configured: mail is kept unsent")
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		n, err := m.sendDue(ctx)
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "mail outbox not read", "error", err)
		}
		if n == batchSize {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-m.wake:
		}
	}
}

type queued struct {
	ID        string
	Recipient string
	Subject   string
	Body      string
	Language  string
	CreatedAt time.Time
	Attempts  int
}

// sendDue takes what is due, by moving its next attempt ahead so that no other
// replica takes it too, and then sends it outside of the transaction.
func (m *Mailer) sendDue(ctx context.Context) (int, error) {
	var due []queued
	err := m.db.Platform(ctx, "mail outbox", func(ctx context.Context, tx pgx.Tx) (err error) {
		due, err = tenantdb.TxMany[queued](ctx, tx, `
			UPDATE mail_outbox SET attempts = attempts + 1, next_at = now() + least(interval '10 s' * 2 ^ attempts, interval '4 h')
			WHERE id IN (SELECT id FROM mail_outbox WHERE sent_at IS NULL AND next_at <= now() AND attempts < $1
				ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED)
			RETURNING id, recipient, subject, body, language, created_at, attempts`, maxAttempts, batchSize)
		if err != nil || len(due) > 0 {
			return err
		}
		_, err = tx.Exec(ctx, "DELETE FROM mail_outbox WHERE created_at < now() - $1::interval", keepSent)
		return err
	})
	if err != nil || len(due) == 0 {
		return 0, err
	}
	failures := m.send(ctx, due)
	return len(due), m.settle(ctx, due, failures)
}

// settle notes what became of each mail; the text of a sent one is dropped,
// since it holds a link.
func (m *Mailer) settle(ctx context.Context, due []queued, failures map[string]string) error {
	var sent []string
	for _, q := range due {
		if why, failed := failures[q.ID]; failed {
			slog.WarnContext(ctx, "mail not sent", "mail", q.ID, "attempt", q.Attempts, "error", why)
		} else {
			sent = append(sent, q.ID)
		}
	}
	why, _ := json.Marshal(failures) // a map of strings always marshals
	return m.db.Platform(context.WithoutCancel(ctx), "mail outbox", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE mail_outbox SET sent_at = now(), body = '', error = NULL WHERE id = ANY($1)", sent)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE mail_outbox m SET error = left(f.value, 500)
			FROM jsonb_each_text($1) f WHERE m.id = f.key`, string(why))
		return err
	})
}
