package fleet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

var errOff = fault.New(fault.Unavailable, "fault.fleet.not_served").WithRetry(time.Minute)

// ReportNode keeps what the node says of itself.
func (s *Service) ReportNode(ctx context.Context, req *edgev1.ReportNodeRequest) (*edgev1.Done, error) {
	id, err := s.node(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Registry.ReportNode(ctx, id.Site, id.Node, req); err != nil {
		return nil, err
	}
	return &edgev1.Done{}, nil
}

// PushLive hands on the floors of the tenants the site serves.
func (s *Service) PushLive(ctx context.Context, req *edgev1.PushLiveRequest) (*edgev1.Done, error) {
	id, err := s.node(ctx)
	if err != nil {
		return nil, err
	}
	if s.cfg.Live == nil {
		return nil, errOff
	}
	serves, err := s.servedBy(ctx, id.Site)
	if err != nil {
		return nil, err
	}
	floors := make([]*edgev1.LiveTenant, 0, len(req.Tenants))
	for _, t := range req.Tenants {
		if !serves[t.TenantId] {
			notAssigned.Inc()
			continue
		}
		floors = append(floors, t)
	}
	if err := s.cfg.Live.PushLive(ctx, id.Site, floors); err != nil {
		return nil, err
	}
	return &edgev1.Done{}, nil
}

// servedBy gives the tenants of a site: from its watcher when a node of the site
// watches here, which is current within a second, else from the database.
func (s *Service) servedBy(ctx context.Context, site string) (map[int64]bool, error) {
	config := s.watchers.peek(site)
	if config == nil {
		err := s.db.Platform(ctx, "fleet: tenants of a site", func(ctx context.Context, tx pgx.Tx) (err error) {
			config, err = s.cfg.Registry.SiteConfig(ctx, tx, site)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	out := make(map[int64]bool, len(config.Tenants))
	for _, t := range config.Tenants {
		out[t.TenantId] = true
	}
	return out, nil
}

// peek gives a watched site's configuration, nil if there is none yet.
func (w *watchers) peek(site string) *edgev1.SiteConfig {
	w.mu.Lock()
	x := w.sites[site]
	w.mu.Unlock()
	if x == nil {
		return nil
	}
	c, _ := x.get()
	return c
}

// RecordingOffset says how much of a recording is here.
func (s *Service) RecordingOffset(ctx context.Context, req *edgev1.RecordingOffsetRequest) (*edgev1.RecordingOffsetResponse, error) {
	site, err := s.served(ctx, req.TenantId)
	if err != nil {
		return nil, err
	}
	if s.cfg.Recordings == nil {
		return nil, errOff
	}
	return s.cfg.Recordings.RecordingOffset(ctx, site, req)
}

// UploadRecording takes the next piece of a recording.
func (s *Service) UploadRecording(ctx context.Context, req *edgev1.UploadRecordingRequest) (*edgev1.RecordingOffsetResponse, error) {
	site, err := s.served(ctx, req.TenantId)
	if err != nil {
		return nil, err
	}
	if s.cfg.Recordings == nil {
		return nil, errOff
	}
	if sum := sha256.Sum256(req.Data); !bytes.Equal(sum[:], req.Hash) {
		return nil, fault.New(fault.Invalid, "fault.recording.damaged").WithField("hash")
	}
	return s.cfg.Recordings.UploadRecording(ctx, site, req)
}

// TurnCredentials gives an agent of the site a way round its network.
func (s *Service) TurnCredentials(ctx context.Context, req *edgev1.TurnCredentialsRequest) (*edgev1.TurnCredentialsResponse, error) {
	id, err := s.node(ctx)
	if err != nil {
		return nil, err
	}
	if req.AgentId == "" {
		return nil, fault.New(fault.Invalid, "fault.field.required").WithField("agent_id")
	}
	if s.cfg.Relay == nil {
		return &edgev1.TurnCredentialsResponse{}, nil
	}
	// The site is part of the name, so that one site's agents can not use up another's.
	return s.cfg.Relay.TurnCredentials(id.Site + "/" + req.AgentId), nil
}
