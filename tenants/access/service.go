package access

import (
	"context"
	"net"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"trunkline/internal/fault"
	"trunkline/internal/seal"
	"trunkline/tenants"
	"trunkline/tenants/jobs"
	"trunkline/tenants/mailer"
	"trunkline/tenants/tenantdb"
)

// Service implements sign-in, sessions, factors and the own account.
type Service struct {
	db        *tenantdb.DB
	box       *seal.Box
	keys      *tenants.Keyring
	mail      *mailer.Mailer
	publicURL *url.URL
	revoked   *Revocations
	webauthn  *webauthn.WebAuthn // nil where passkeys cannot work

	// MembersChanged tells whoever assembles the sites' configuration that what a
	// site knows of a tenant's members has changed. Set before serving; may be nil.
	MembersChanged func(ctx context.Context, tenant int64)
}

func (s *Service) tellSites(ctx context.Context, changed []int64) {
	if s.MembersChanged == nil {
		return
	}
	for _, tenant := range changed {
		s.MembersChanged(ctx, tenant)
	}
}

// New makes the service. publicURL is the address people open; its host is the
// WebAuthn relying party, so passkeys need it to be a name.
func New(db *tenantdb.DB, box *seal.Box, keys *tenants.Keyring, mail *mailer.Mailer, revoked *Revocations, publicURL *url.URL) (*Service, error) {
	s := &Service{db: db, box: box, keys: keys, mail: mail, revoked: revoked, publicURL: publicURL}
	host := publicURL.Hostname()
	if net.ParseIP(host) != nil {
		return s, nil // WebAuthn allows names only
	}
	var err error
	s.webauthn, err = webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: "Trunkline", RPOrigins: []string{publicURL.Scheme + "://" + publicURL.Host},
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
		AttestationPreference: protocol.PreferNoAttestation,
		Timeouts: webauthn.TimeoutsConfig{
			Login:        webauthn.TimeoutConfig{Enforce: true, Timeout: ceremonyLife, TimeoutUVD: ceremonyLife},
			Registration: webauthn.TimeoutConfig{Enforce: true, Timeout: ceremonyLife, TimeoutUVD: ceremonyLife},
		},
	})
	return s, err
}

// Link makes an address of the web app with a token in it.
func (s *Service) Link(path, token string) string {
	u := *s.publicURL
	u.Path = path
	if token != "" {
		u.RawQuery = url.Values{"token": {token}}.Encode()
	}
	return u.String()
}

const ceremonyLife = 5 * time.Minute

// Faults of this package that several files use.
var (
	errWrong     = fault.New(fault.Unauthenticated, "fault.sign_in.wrong")
	errNoSession = fault.New(fault.Unauthenticated, "fault.session.ended").WithAction("action.sign_in")
	errWrongCode = fault.New(fault.Unauthenticated, "fault.code.wrong").WithField("code")
	errPassword  = fault.New(fault.Invalid, "fault.password.wrong")
)

// sweepEvery is how often what has run out is removed.
const sweepEvery = 10 * time.Minute

// AddJobs has what has run out removed.
func (s *Service) AddJobs(j *jobs.Jobs) { j.Every(sweepEvery, "access_sweep", time.Minute, s.sweep) }
