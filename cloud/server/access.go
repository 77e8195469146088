package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"

	"trunkline/internal/fault"
	"trunkline/internal/grant"
	"trunkline/internal/rpcx"
	accessv1connect "trunkline/proto/gen/trunkline/access/v1/accessv1connect"
	"trunkline/tenants"
	"trunkline/tenants/access"
	"trunkline/tenants/mailer"
	"trunkline/tenants/members"
	"trunkline/tenants/signup"
)

// accessParts is what identity offers the features and what they give it. What
// features give must be there before the listeners serve: mounts append to it.
type accessParts struct {
	verifier *grant.Verifier
	revoked  *access.Revocations
	sessions *access.Service
	mail     *mailer.Mailer

	// provision runs in the transaction that makes a tenant; features append.
	provision []tenants.Provisioner
	// queues is set by the feature that owns queues.
	queues tenants.MemberQueues
	// configChanged tells the sites' configuration that a tenant's members, name
	// or state changed; set by the feature that assembles it.
	configChanged func(ctx context.Context, tenant int64)
}

// accessService is the whole of AccessService, put together of its three parts.
type accessService struct {
	sessionPart
	signUpPart
	memberPart
}

type (
	sessionPart struct{ *access.Service }
	signUpPart  struct{ *signup.Service }
	memberPart  struct{ *members.Service }
)

func (s *Server) mountAccess(context.Context) (err error) {
	a := &s.features.access
	a.verifier = grant.NewVerifier(s.keys.PublicKeys)
	a.mail, err = mailer.New(s.db, mailer.Config{Addr: s.cfg.SMTPAddr, User: s.cfg.SMTPUser, Pass: s.cfg.SMTPPass, From: s.cfg.MailFrom})
	if err != nil {
		return err
	}
	a.revoked = access.NewRevocations(s.db, s.listener)
	a.sessions, err = access.New(s.db, s.box, s.keys, a.mail, a.revoked, s.publicURL)
	if err != nil {
		return err
	}
	changed := func(ctx context.Context, tenant int64) {
		if a.configChanged != nil {
			a.configChanged(ctx, tenant)
		}
	}
	queues := func() tenants.MemberQueues { return a.queues }
	a.sessions.MembersChanged = changed
	svc := accessService{
		sessionPart{a.sessions},
		signUpPart{signup.New(signup.Config{
			DB: s.db, Access: a.sessions, Mail: a.mail, Queues: queues, MembersChanged: changed,
			Provision: func() []tenants.Provisioner { return a.provision },
		})},
		memberPart{members.New(members.Config{DB: s.db, Access: a.sessions, Mail: a.mail, Queues: queues, MembersChanged: changed})},
	}
	s.web.Handle(accessv1connect.NewAccessServiceHandler(svc, s.options()...))
	s.background.Add("revocations", a.revoked)
	return nil
}

// authenticate says who sends a request: a node by its certificate, a person by
// a bearer token that still holds.
func (s *Server) authenticate(_ context.Context, header http.Header, state *tls.ConnectionState) (rpcx.Caller, error) {
	if node := rpcx.NodeFromTLS(state); node != nil {
		return rpcx.Caller{Node: node}, nil
	}
	token := rpcx.Bearer(header)
	if token == "" {
		return rpcx.Caller{}, nil
	}
	claims, err := s.features.access.verifier.Verify(token)
	switch {
	case errors.Is(err, grant.ErrExpired):
		return rpcx.Caller{}, fault.New(fault.Unauthenticated, "fault.session.expired")
	case err != nil:
		return rpcx.Caller{}, fault.Wrap(err, fault.Unauthenticated, "fault.session.invalid").WithAction("action.sign_in")
	case s.features.access.revoked.Revoked(claims):
		return rpcx.Caller{}, fault.New(fault.Unauthenticated, "fault.session.revoked").WithAction("action.sign_in")
	}
	return rpcx.Caller{Claims: claims}, nil
}

// recheck ends open streams of people who were signed out, disabled or whose
// tenant was suspended.
func (s *Server) recheck(c rpcx.Caller) error {
	if s.features.access.revoked.Revoked(c.Claims) {
		return fault.New(fault.Unauthenticated, "fault.session.revoked").WithAction("action.sign_in")
	}
	return nil
}
