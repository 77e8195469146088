package signup

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/internal/grant"
	"trunkline/internal/rpcx"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/tenants"
	"trunkline/tenants/access"
	"trunkline/tenants/mailer"
	"trunkline/tenants/tenantdb"
)

// Config is what others give.
type Config struct {
	DB     *tenantdb.DB
	Access *access.Service
	Mail   *mailer.Mailer
	// Provision gives a new tenant what it needs; read at each confirmation.
	Provision func() []tenants.Provisioner
	// Queues is asked for the queues an invitation names; nil result = none known.
	Queues func() tenants.MemberQueues
	// MembersChanged tells the sites; may be nil.
	MembersChanged func(ctx context.Context, tenant int64)
}

// Service implements the RPCs of this package.
type Service struct{ Config }

// New makes the service.
func New(cfg Config) *Service { return &Service{cfg} }

const (
	confirmLife = 24 * time.Hour
	resetLife   = time.Hour
	inviteLife  = 7 * 24 * time.Hour
)

// pending is a sign-up until it is confirmed.
type pending struct {
	PasswordHash string `json:"password_hash"`
	Company      string `json:"company"`
	Language     string `json:"language"`
	DisplayName  string `json:"display_name"`
	TimeZone     string `json:"time_zone"`
}

// limit guards what anybody can cause: attempts from one address, and mails to
// one mailbox.
func (s *Service) limit(ctx context.Context, email string) error {
	if err := s.Access.Take(ctx, access.PerAddress, rpcx.RemoteIP(ctx)); err != nil {
		return err
	}
	return s.Access.Take(ctx, access.PerMailbox, email)
}

// SignUp mails a confirmation, or to a known address the news that it is known.
func (s *Service) SignUp(ctx context.Context, req *accessv1.SignUpRequest) (*accessv1.SignUpResponse, error) {
	email := tenants.NormalEmail(req.Email)
	if err := access.GoodPassword(req.Password, email); err != nil {
		return nil, err
	}
	if err := s.limit(ctx, email); err != nil {
		return nil, err
	}
	hash, err := access.HashPassword(ctx, req.Password) // for a known address too: the time must not tell
	if err != nil {
		return nil, err
	}
	body := pending{PasswordHash: hash, Company: req.Company, Language: req.Language, DisplayName: req.DisplayName, TimeZone: req.TimeZone}
	err = s.DB.Platform(ctx, "sign up", func(ctx context.Context, tx pgx.Tx) error {
		a, known, err := tenants.AccountByEmail(ctx, tx, email)
		if err != nil {
			return err
		}
		if known {
			return s.Mail.Queue(ctx, tx, 0, a.Email, a.Language, mailer.AlreadySignedUp,
				mailer.Params{"link": s.Access.Link("/sign-in", ""), "reset": s.Access.Link("/forgot", "")})
		}
		return s.mailConfirmation(ctx, tx, email, body)
	})
	if err != nil {
		return nil, err
	}
	return &accessv1.SignUpResponse{Email: email}, nil
}

func (s *Service) mailConfirmation(ctx context.Context, tx pgx.Tx, email string, body pending) error {
	secret, code, err := s.Access.Promise(ctx, tx, access.PromiseSignUp, email, "", body, confirmLife)
	if err != nil {
		return err
	}
	return s.Mail.Queue(ctx, tx, 0, email, body.Language, mailer.ConfirmSignUp,
		mailer.Params{"company": body.Company, "link": s.Access.Link("/confirm", secret), "code": code})
}

// ResendConfirmation mails the newest pending sign-up again, with a new link and
// code; the old ones stay good.
func (s *Service) ResendConfirmation(ctx context.Context, req *accessv1.ResendConfirmationRequest) (*accessv1.Done, error) {
	email := tenants.NormalEmail(req.Email)
	if err := s.limit(ctx, email); err != nil {
		return nil, err
	}
	err := s.DB.Platform(ctx, "sign up", func(ctx context.Context, tx pgx.Tx) error {
		raws, err := tenantdb.TxMany[json.RawMessage](ctx, tx, `SELECT body FROM promises WHERE kind = $1 AND email = $2
			AND used_at IS NULL AND expires_at > now() ORDER BY created_at DESC LIMIT 1`, access.PromiseSignUp, email)
		if err != nil || len(raws) == 0 {
			return err
		}
		var body pending
		if err := json.Unmarshal(raws[0], &body); err != nil {
			return err
		}
		return s.mailConfirmation(ctx, tx, email, body)
	})
	return &accessv1.Done{}, err
}

// ConfirmEmail makes account, tenant and owner, and signs in.
func (s *Service) ConfirmEmail(ctx context.Context, req *accessv1.ConfirmEmailRequest) (*accessv1.SessionResponse, error) {
	var out *accessv1.SessionResponse
	err := s.keep(ctx, access.PromiseSignUp, req, func(ctx context.Context, tx pgx.Tx, p access.Promise) error {
		var body pending
		if err := json.Unmarshal(p.Body, &body); err != nil {
			return err
		}
		a, err := tenants.CreateAccount(ctx, tx, tenants.Account{
			Email: p.Email, DisplayName: body.DisplayName, Language: body.Language, TimeZone: body.TimeZone,
		}, body.PasswordHash)
		if tenantdb.IsUnique(err, "accounts_email") {
			return errConfirmed
		}
		if err != nil {
			return err
		}
		t, err := tenants.Create(ctx, tx, body.Company, body.Language, body.TimeZone, s.Provision())
		if err != nil {
			return err
		}
		if _, err := tenants.AddMembership(ctx, tx, t.ID, a.ID, []string{grant.Owner}); err != nil {
			return err
		}
		e := tenants.Entry{Tenant: t.ID, Actor: a.ID, Action: "tenant.created", Subject: t.Slug}
		if err := tenants.Audit(ctx, tx, e); err != nil {
			return err
		}
		out, err = s.Access.Begin(ctx, tx, a.ID, t.ID, "confirmation")
		return err
	})
	if err != nil {
		return nil, err
	}
	s.changed(ctx, out.GetMe().GetMembership().GetTenantId())
	return out, nil
}

func (s *Service) changed(ctx context.Context, tenant int64) {
	if s.MembersChanged != nil && tenant != 0 {
		s.MembersChanged(ctx, tenant)
	}
}

var (
	errConfirmed = fault.New(fault.Conflict, "fault.confirm.used").WithAction("action.sign_in")
	errExpired   = fault.New(fault.Conflict, "fault.link.expired").WithAction("action.ask_again")
	errLink      = fault.New(fault.NotFound, "fault.link.unknown").WithAction("action.ask_again")
	errCode      = fault.New(fault.Invalid, "fault.code.wrong").WithField("code")
)

// keep finds what was promised, by the link's token or by address and code, and
// keeps it once. A wrong code is counted even though nothing else happens.
func (s *Service) keep(ctx context.Context, kind string, req *accessv1.ConfirmEmailRequest, do func(context.Context, pgx.Tx, access.Promise) error) error {
	if err := s.Access.Take(ctx, access.PerAddress, rpcx.RemoteIP(ctx)); err != nil {
		return err
	}
	email := tenants.NormalEmail(req.Email)
	if req.Token == "" {
		if email == "" || req.Code == "" {
			return fault.New(fault.Invalid, "fault.field.required").WithField("code")
		}
		if err := s.Access.Take(ctx, access.PerCode, email); err != nil {
			return err
		}
	}
	var refused error
	err := s.DB.Platform(ctx, "confirm address", func(ctx context.Context, tx pgx.Tx) error {
		var p access.Promise
		var ok bool
		var err error
		if req.Token != "" {
			p, ok, err = access.PromiseBySecret(ctx, tx, kind, req.Token)
			refused = errLink
		} else {
			p, ok, err = s.Access.PromiseByCode(ctx, tx, kind, email, req.Code)
			refused = errCode
		}
		switch {
		case err != nil || !ok:
			return err
		case p.UsedAt != nil:
			refused = errConfirmed
			return nil
		case p.ExpiresAt.Before(time.Now()):
			refused = errExpired
			return nil
		}
		refused = nil
		if err := p.Use(ctx, tx); err != nil {
			return err
		}
		return do(ctx, tx, p)
	})
	if err != nil {
		return err
	}
	return refused
}
