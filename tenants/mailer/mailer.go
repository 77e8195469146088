// Package mailer sends mail to people. A mail is a job inserted in the transaction
// that causes it, so that it goes out if and only if that commits, and is sent by
// SMTP until the mail server takes it, for about four days. A program that dies
// between the server's answer and its own note sends it again with the same
// Message-ID, by which mail programs show it once. Texts are in English and
// simplified Chinese, plain text: nothing in them needs more.
package mailer

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/tenants"
	"trunkline/tenants/jobs"
	"trunkline/tenants/tenantdb"
)

// Config of the way out.
type Config struct {
	Addr string // host:port of the mail server; "" keeps mail unsent
	User string // "" = no authentication
	Pass string
	From string // "Name <address>"
}

// Mailer queues and sends.
type Mailer struct {
	cfg Config
	db  *tenantdb.DB
}

// New checks the sender's address.
func New(db *tenantdb.DB, cfg Config) (*Mailer, error) {
	if _, err := parseFrom(cfg.From); err != nil {
		return nil, err
	}
	return &Mailer{cfg: cfg, db: db}, nil
}

const (
	// queue is mail's own, so that without a mail server nobody tries to send.
	queue = "mail"
	// connections is how many a replica has to the mail server at most.
	connections = 4
	// leftoverEvery is how often the outbox of the release before is emptied.
	leftoverEvery = time.Minute
)

// AddJobs has what is queued sent while the jobs run.
func (m *Mailer) AddJobs(j *jobs.Jobs) {
	jobs.Add(j, jobs.Worker[Mail]{Work: m.work, Limit: sendTimeout})
	j.Every(leftoverEvery, "mail_outbox", time.Minute, m.takeLeftover)
	if m.cfg.Addr == "" {
		slog.Warn("no mail server is configured: mail is kept unsent")
		return
	}
	j.Queue(queue, connections)
}

// Mail is one mail to one person, ready to be sent.
type Mail struct {
	ID        string    `json:"id"`
	To        string    `json:"to"`
	Subject   string    `json:"subject"`
	Body      string    `json:"body"`
	Language  string    `json:"language"`
	CreatedAt time.Time `json:"created_at"`
}

// Kind implements jobs.Args.
func (Mail) Kind() string { return "mail" }

// Queue has a mail sent once the transaction, a Platform one, has committed. cause
// is the tenant on whose behalf it is sent, 0 for a person's own matter: nobody's
// new password waits for a tenant's many invitations.
func (m *Mailer) Queue(ctx context.Context, tx pgx.Tx, cause int64, to, language string, text Text, params Params) error {
	subject, body, err := text.render(language, params)
	if err != nil {
		return err
	}
	options := []jobs.Option{jobs.In(queue)}
	if cause != 0 {
		options = append(options, jobs.For(cause))
	}
	return jobs.Insert(ctx, tx, Mail{
		ID: tenants.NewID(), To: to, Subject: subject, Body: body, Language: language, CreatedAt: time.Now().UTC(),
	}, options...)
}

// work sends one mail. Of one that was sent the text is dropped: it holds a link.
func (m *Mailer) work(ctx context.Context, job *jobs.Job[Mail]) error {
	if err := m.send(ctx, job.Args); err != nil {
		return err
	}
	slog.InfoContext(ctx, "mail sent", "mail", job.Args.ID, "attempt", job.Attempt)
	sent := job.Args
	sent.Body = ""
	// The mail server has it, whatever becomes of ctx.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	return m.db.Platform(ctx, "mail sent", func(ctx context.Context, tx pgx.Tx) error {
		return jobs.Complete(ctx, tx, job, sent)
	})
}

// noteTimeout bounds noting that a mail was sent.
const noteTimeout = 5 * time.Second
