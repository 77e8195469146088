package mailer

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/tenants/jobs"
	"trunkline/tenants/tenantdb"
)

// leftover is a mail in the outbox of the release before.
type leftover struct {
	ID, Recipient, Subject, Body, Language string
	CreatedAt                              time.Time
}

// takeLeftover makes jobs of what the release before still had to send, as soon as
// it would have tried itself: while it runs beside this one, either sends a mail,
// never both. What it had given up stays so. The release after this one drops mail_outbox and this file.
func (m *Mailer) takeLeftover(ctx context.Context) error {
	return m.db.Platform(ctx, "mail outbox", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM mail_outbox WHERE created_at < now() - interval '30 days'"); err != nil {
			return err
		}
		due, err := tenantdb.TxMany[leftover](ctx, tx, `DELETE FROM mail_outbox WHERE id IN (
				SELECT id FROM mail_outbox WHERE sent_at IS NULL AND next_at <= now() AND attempts < 12 LIMIT 1000 FOR UPDATE SKIP LOCKED)
			RETURNING id, recipient, subject, body, language, created_at`)
		for _, l := range due {
			if err != nil {
				return err
			}
			err = jobs.Insert(ctx, tx, Mail{
				ID: l.ID, To: l.Recipient, Subject: l.Subject, Body: l.Body, Language: l.Language, CreatedAt: l.CreatedAt,
			}, jobs.In(queue))
		}
		return err
	})
}
