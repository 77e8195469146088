package access

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/tenants"
	"trunkline/tenants/mailer"
	"trunkline/tenants/tenantdb"
)

// maxPasskeys bounds what one person may enrol.
const maxPasskeys = 20

var (
	errNoPasskeys   = fault.New(fault.Conflict, "fault.passkey.needs_name")
	errPasskey      = fault.New(fault.Unauthenticated, "fault.passkey.refused")
	errPasskeyStale = fault.New(fault.Unauthenticated, "fault.passkey.timed_out")
)

// holder is an account as WebAuthn sees it. Its handle is the account id, which
// says nothing about the person.
type holder struct {
	tenants.Account
	credentials []webauthn.Credential
}

func (h holder) WebAuthnID() []byte                         { return []byte(h.ID) }
func (h holder) WebAuthnName() string                       { return h.Email }
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.credentials }
func (h holder) WebAuthnDisplayName() string {
	if h.DisplayName == "" {
		return h.Email
	}
	return h.DisplayName
}

func holderOf(ctx context.Context, tx pgx.Tx, account string) (holder, error) {
	a, ok, err := tenants.AccountByID(ctx, tx, account)
	if err != nil || !ok {
		return holder{}, errPasskey.WithCause(err)
	}
	rows, err := tenantdb.TxMany[json.RawMessage](ctx, tx, "SELECT credential FROM passkeys WHERE account_id = $1", account)
	if err != nil {
		return holder{}, err
	}
	h := holder{Account: a}
	for _, raw := range rows {
		var c webauthn.Credential
		if err := json.Unmarshal(raw, &c); err != nil {
			return h, err
		}
		h.credentials = append(h.credentials, c)
	}
	return h, nil
}

// BeginPasskeyEnrolment gives the options for navigator.credentials.create.
func (s *Service) BeginPasskeyEnrolment(ctx context.Context, _ *accessv1.BeginPasskeyEnrolmentRequest) (*accessv1.PasskeyOptions, error) {
	if s.webauthn == nil {
		return nil, errNoPasskeys
	}
	var out *accessv1.PasskeyOptions
	err := s.db.Platform(ctx, "own passkeys", func(ctx context.Context, tx pgx.Tx) error {
		h, err := holderOf(ctx, tx, accountOf(ctx))
		if err != nil {
			return err
		}
		if len(h.credentials) >= maxPasskeys {
			return fault.New(fault.Conflict, "fault.passkey.too_many", "max", "20")
		}
		options, data, err := s.webauthn.BeginRegistration(h,
			webauthn.WithExclusions(webauthn.Credentials(h.credentials).CredentialDescriptors()))
		if err != nil {
			return err
		}
		out, err = s.ceremony(ctx, tx, promiseEnrol, h.ID, options, data)
		return err
	})
	return out, err
}

// ceremony keeps the server's half and gives the browser's.
func (s *Service) ceremony(ctx context.Context, tx pgx.Tx, kind, account string, options any, data *webauthn.SessionData) (*accessv1.PasskeyOptions, error) {
	raw, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	secret, _, err := s.Promise(ctx, tx, kind, "", account, data, ceremonyLife)
	return &accessv1.PasskeyOptions{Ceremony: secret, OptionsJson: string(raw)}, err
}

// resume takes the server's half back, once.
func resume(ctx context.Context, tx pgx.Tx, kind, secret string) (Promise, webauthn.SessionData, error) {
	var data webauthn.SessionData
	p, ok, err := PromiseBySecret(ctx, tx, kind, secret)
	if err != nil {
		return p, data, err
	}
	if !ok || p.UsedAt != nil || p.ExpiresAt.Before(time.Now()) {
		return p, data, errPasskeyStale
	}
	if err := p.Use(ctx, tx); err != nil {
		return p, data, err
	}
	return p, data, json.Unmarshal(p.Body, &data)
}

// FinishPasskeyEnrolment stores the new passkey.
func (s *Service) FinishPasskeyEnrolment(ctx context.Context, req *accessv1.FinishPasskeyRequest) (*accessv1.Done, error) {
	if s.webauthn == nil {
		return nil, errNoPasskeys
	}
	account := accountOf(ctx)
	err := s.db.Platform(ctx, "own passkeys", func(ctx context.Context, tx pgx.Tx) error {
		p, data, err := resume(ctx, tx, promiseEnrol, req.Ceremony)
		if err != nil {
			return err
		}
		if p.AccountID == nil || *p.AccountID != account {
			return errPasskeyStale
		}
		h, err := holderOf(ctx, tx, account)
		if err != nil {
			return err
		}
		parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(req.ResponseJson))
		if err != nil {
			return invalidPasskey(err)
		}
		c, err := s.webauthn.CreateCredential(h, data, parsed)
		if err != nil {
			return invalidPasskey(err)
		}
		raw, err := json.Marshal(c)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO passkeys (id, account_id, name, credential_id, credential) VALUES ($1, $2, $3, $4, $5)",
			tenants.NewID(), account, req.Name, c.ID, string(raw))
		if tenantdb.IsUnique(err, "") {
			return fault.New(fault.Conflict, "fault.passkey.already")
		}
		if err != nil {
			return err
		}
		return s.factorsChanged(ctx, tx, account, "passkey.added", mailer.AddedSecondStep)
	})
	if err != nil {
		return nil, err
	}
	return &accessv1.Done{}, nil
}

// invalidPasskey is a browser's answer that does not hold; the library's reason
// is for the log.
func invalidPasskey(err error) error {
	if pe, ok := errors.AsType[*protocol.Error](err); ok {
		err = errors.Join(err, errors.New(pe.DevInfo))
	}
	return fault.Wrap(err, fault.Invalid, "fault.passkey.refused")
}

// BeginPasskeySignIn gives the options for navigator.credentials.get; which
// account it is, the passkey says.
func (s *Service) BeginPasskeySignIn(ctx context.Context, _ *accessv1.BeginPasskeySignInRequest) (*accessv1.PasskeyOptions, error) {
	if s.webauthn == nil {
		return nil, errNoPasskeys
	}
	if err := s.Take(ctx, PerAddress, rpcx.RemoteIP(ctx)); err != nil {
		return nil, err
	}
	options, data, err := s.webauthn.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, err
	}
	var out *accessv1.PasskeyOptions
	err = s.db.Platform(ctx, "passkey sign in", func(ctx context.Context, tx pgx.Tx) error {
		out, err = s.ceremony(ctx, tx, promisePasskey, "", options, data)
		return err
	})
	return out, err
}

// FinishPasskeySignIn begins a session. A passkey is two factors by itself: the
// device, and the person verified by it.
func (s *Service) FinishPasskeySignIn(ctx context.Context, req *accessv1.FinishPasskeyRequest) (*accessv1.SessionResponse, error) {
	if s.webauthn == nil {
		return nil, errNoPasskeys
	}
	if err := s.Take(ctx, PerAddress, rpcx.RemoteIP(ctx)); err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(req.ResponseJson))
	if err != nil {
		return nil, invalidPasskey(err)
	}
	var out *accessv1.SessionResponse
	err = s.db.Platform(ctx, "passkey sign in", func(ctx context.Context, tx pgx.Tx) error {
		_, data, err := resume(ctx, tx, promisePasskey, req.Ceremony)
		if err != nil {
			return err
		}
		find := func(_, handle []byte) (webauthn.User, error) { return holderOf(ctx, tx, string(handle)) }
		user, c, err := s.webauthn.ValidatePasskeyLogin(find, data, parsed)
		if err != nil {
			return errPasskey.WithCause(err)
		}
		if c.Authenticator.CloneWarning {
			return errPasskey.WithCause(errors.New("the authenticator's counter went back: it may have been copied"))
		}
		raw, err := json.Marshal(c)
		if err != nil {
			return err
		}
		account := string(user.WebAuthnID())
		_, err = tx.Exec(ctx, "UPDATE passkeys SET credential = $3, last_used_at = now() WHERE account_id = $1 AND credential_id = $2",
			account, c.ID, string(raw))
		if err != nil {
			return err
		}
		out, err = s.Begin(ctx, tx, account, 0, "passkey")
		return err
	})
	return out, err
}

// ListPasskeys lists the caller's.
func (s *Service) ListPasskeys(ctx context.Context, _ *accessv1.ListPasskeysRequest) (*accessv1.ListPasskeysResponse, error) {
	type passkey struct {
		ID         string
		Name       string
		CreatedAt  time.Time
		LastUsedAt *time.Time
	}
	var rows []passkey
	err := s.db.Platform(ctx, "own passkeys", func(ctx context.Context, tx pgx.Tx) (err error) {
		rows, err = tenantdb.TxMany[passkey](ctx, tx,
			"SELECT id, name, created_at, last_used_at FROM passkeys WHERE account_id = $1 ORDER BY id LIMIT $2", accountOf(ctx), maxPasskeys)
		return err
	})
	out := &accessv1.ListPasskeysResponse{}
	for _, r := range rows {
		k := &accessv1.Passkey{Id: r.ID, Name: r.Name, CreatedAt: timestamppb.New(r.CreatedAt)}
		if r.LastUsedAt != nil {
			k.LastUsedAt = timestamppb.New(*r.LastUsedAt)
		}
		out.Passkeys = append(out.Passkeys, k)
	}
	return out, err
}

// RemovePasskey removes one of the caller's.
func (s *Service) RemovePasskey(ctx context.Context, req *accessv1.RemovePasskeyRequest) (*accessv1.Done, error) {
	account := accountOf(ctx)
	err := s.db.Platform(ctx, "own passkeys", func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "DELETE FROM passkeys WHERE account_id = $1 AND id = $2", account, req.Id)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return fault.New(fault.NotFound, "fault.passkey.not_found")
		}
		return s.factorsChanged(ctx, tx, account, "passkey.removed", mailer.RemovedSecondStep)
	})
	return &accessv1.Done{}, err
}
