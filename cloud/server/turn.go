package server

import (
	"context"
	"crypto/rand"

	"trunkline/cloud/turn"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants"
)

// mountTurn prepares the media relay; without an address it stays off.
func (s *Server) mountTurn(ctx context.Context) error {
	cfg := s.cfg.Turn
	cfg.Log = s.log
	if cfg.Addr != "" {
		// All replicas must take credentials another one handed out.
		secret, err := tenants.PlatformSecret(ctx, s.db, s.box, "turn", func() ([]byte, error) {
			b := make([]byte, 32)
			_, _ = rand.Read(b) // never fails, see crypto/rand
			return b, nil
		})
		if err != nil {
			return err
		}
		cfg.Secret = secret
	}
	relay, err := turn.New(cfg)
	if err != nil {
		return err
	}
	s.features.fleet.relay = relay
	s.background.Add("turn relay", relay)
	return nil
}

// relays gives a browser that calls from the cloud's pages its way to a site.
func (s *Server) relays(user string) []*cloudv1.RelayServer {
	c := s.features.fleet.relay.Credential(user)
	if len(c.URLs) == 0 {
		return nil
	}
	return []*cloudv1.RelayServer{{Urls: c.URLs, Username: c.Username, Credential: c.Password}}
}

// TurnConfig says where the media relay listens; the zero value is off.
type TurnConfig = turn.Config
