package enroll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"time"

	"trunkline/internal/durable"
	"trunkline/internal/life"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Cloud is what renewal needs of FleetService; edgev1connect.FleetServiceClient is one.
type Cloud interface {
	RenewCertificate(context.Context, *edgev1.RenewCertificateRequest) (*edgev1.RenewCertificateResponse, error)
}

// RenewAt is when the certificate is to be renewed: with a third of its life left.
func (e *Enrolment) RenewAt() time.Time {
	leaf := e.Certificate().Leaf
	return leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 3)
}

// Renew gets a certificate for a new key, saves both and uses them from the next
// handshake on. The cloud lets the old one work for one more hour.
func (e *Enrolment) Renew(ctx context.Context, cloud Cloud) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	csr, err := newCSR(key, e.Node().Name)
	if err != nil {
		return err
	}
	res, err := cloud.RenewCertificate(ctx, &edgev1.RenewCertificateRequest{Csr: csr})
	if err != nil {
		return err
	}
	if len(res.CertificateChain) == 0 {
		return errors.New("the cloud sent no certificate")
	}
	ca := res.Ca
	if len(ca) == 0 {
		ca = e.CA().Raw
	}
	text, err := encodeIdentity(key, res.CertificateChain, ca)
	if err != nil {
		return err
	}
	// On disk before it is used: what is used must survive the process.
	check := &Enrolment{node: e.Node()}
	if err := check.use(key, res.CertificateChain, ca); err != nil {
		return fmt.Errorf("the cloud sent a certificate that does not fit: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(e.dir, identityFile), text); err != nil {
		return err
	}
	return e.use(key, res.CertificateChain, ca)
}

const (
	renewTimeout  = 30 * time.Second
	renewRetryMin = time.Minute
	renewRetryMax = time.Hour
)

// Renewer renews the certificate in time for as long as it runs; a failure is
// tried again with growing pauses, up to an hour, until the end.
func (e *Enrolment) Renewer(cloud Cloud, log *slog.Logger) life.Service {
	return life.Loop("certificate renewal", func(ctx context.Context) error {
		pause := renewRetryMin
		for {
			if !sleepUntil(ctx, e.RenewAt()) {
				return ctx.Err()
			}
			once, cancel := context.WithTimeout(ctx, renewTimeout)
			err := e.Renew(once, cloud)
			cancel()
			if err == nil {
				pause = renewRetryMin
				log.Info("certificate renewed", "until", e.Certificate().Leaf.NotAfter)
				continue
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			log.Warn("certificate could not be renewed", "until", e.Certificate().Leaf.NotAfter, "error", err)
			// Spread out, so that the nodes of many sites do not come together.
			if !sleepUntil(ctx, time.Now().Add(pause/2+rand.N(pause/2))) {
				return ctx.Err()
			}
			pause = min(2*pause, renewRetryMax)
		}
	})
}

// sleepUntil waits, in steps of at most an hour so that a changed clock is
// noticed; false when ctx ends.
func sleepUntil(ctx context.Context, at time.Time) bool {
	for {
		left := time.Until(at)
		if left <= 0 {
			return ctx.Err() == nil
		}
		t := time.NewTimer(min(left, time.Hour))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return false
		}
	}
}
