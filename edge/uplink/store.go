package uplink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"trunkline/internal/durable"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Store is the configuration this node works by, on disk and in memory: the site,
// one snapshot per tenant, and prompts. It is read at start without any network.
// Its methods may be called from any goroutine; what they return must not be
// changed.
type Store struct {
	siteFile string
	index    string
	blobs    blobs
	log      *slog.Logger

	prompts promptCache

	activating sync.Mutex // held while a new state is made, without stopping readers

	mu      sync.RWMutex
	site    *edgev1.SiteConfig
	tenants map[int64]*tenant // never changed in place

	watchMu  sync.Mutex
	watchers []func()
}

// tenant is one tenant's snapshot in force, and the manifests of those before it.
type tenant struct {
	cfg       *edgev1.TenantConfig
	manifests []string // newest first; the first is cfg's
}

// keepManifests is how many snapshots of a tenant are kept, for calls that began
// under an earlier one.
const keepManifests = 8

// OpenStore reads what an earlier process kept. siteFile holds the serialised
// edge.v1.SiteConfig (the join writes the first), dir/blobs everything else.
func OpenStore(dir, siteFile string, log *slog.Logger) (*Store, error) {
	s := &Store{
		siteFile: siteFile, index: filepath.Join(dir, "blobs", "index.json"), blobs: blobs{filepath.Join(dir, "blobs", "sha256")},
		log: log, tenants: map[int64]*tenant{}, site: &edgev1.SiteConfig{},
	}
	if err := os.MkdirAll(s.blobs.dir, 0o700); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(siteFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := proto.Unmarshal(data, s.site); err != nil {
		return nil, fmt.Errorf("%s: %w", siteFile, err)
	}
	kept := map[int64][]string{}
	if data, err := os.ReadFile(s.index); err == nil {
		if err := json.Unmarshal(data, &kept); err != nil {
			log.Error("the list of snapshots can not be read; they are fetched again", "error", err)
		}
	}
	for id, manifests := range kept {
		// The newest that is readable; a damaged one is fetched again.
		for i, m := range manifests {
			if cfg := s.snapshot(id, m); cfg != nil {
				s.tenants[id] = &tenant{cfg, manifests[i:]}
				break
			}
		}
	}
	return s, nil
}

// snapshot reads a tenant's snapshot, nil if it is not here.
func (s *Store) snapshot(id int64, manifest string) *edgev1.TenantConfig {
	data, ok := s.blobs.get(manifest)
	if !ok {
		return nil
	}
	var cfg edgev1.TenantConfig
	if err := proto.Unmarshal(data, &cfg); err != nil || cfg.TenantId != id {
		s.log.Error("a snapshot is not what its name says", "tenant", id, "manifest", manifest, "error", err)
		return nil
	}
	return &cfg
}

// Site is the site's configuration in force; empty before the first, never nil.
func (s *Store) Site() *edgev1.SiteConfig {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.site
}

// Tenant is a tenant's snapshot in force: the one the site's configuration names,
// or until that is here the one before. nil for a tenant nothing is here of.
func (s *Store) Tenant(id int64) *edgev1.TenantConfig {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.tenants[id]; t != nil {
		return t.cfg
	}
	return nil
}

// Flow gives a version of a flow, also one of an earlier snapshot (a call stays
// on the version it began with). It may read the disk.
func (s *Store) Flow(tenantID int64, flow, version string) ([]byte, bool) {
	s.mu.RLock()
	var manifests []string
	var cfg *edgev1.TenantConfig
	if t := s.tenants[tenantID]; t != nil {
		cfg, manifests = t.cfg, t.manifests
	}
	s.mu.RUnlock()
	for i := 0; cfg != nil; {
		for _, f := range cfg.Flows {
			if f.FlowId == flow && f.Version == version {
				return f.Document, true
			}
		}
		if i++; i >= len(manifests) {
			break
		}
		cfg = s.snapshot(tenantID, manifests[i])
	}
	return nil, false
}

// Prompt gives a tenant's own prompt (8 kHz mono u-law), nil if it has none of
// that name and language.
func (s *Store) Prompt(tenantID int64, language, name string) []byte {
	cfg := s.Tenant(tenantID)
	for _, p := range cfg.GetPrompts() {
		if p.Name == name && p.Language == language {
			data, _ := s.prompts.get(p.Hash, s.blobs.get)
			return data
		}
	}
	return nil
}

// Blob gives a blob by its SHA-256 (hex), for the other nodes of the site.
func (s *Store) Blob(hash string) ([]byte, bool) { return s.blobs.get(hash) }

// DayStart is the midnight before now in the tenant's time zone (UTC if it is not
// known), both in Unix microseconds.
func (s *Store) DayStart(tenantID, now int64) int64 {
	zone, err := time.LoadLocation(s.Tenant(tenantID).GetTimeZone())
	if err != nil {
		zone = time.UTC
	}
	at := time.UnixMicro(now).In(zone)
	return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, zone).UnixMicro()
}

// OnChange calls fn after each change of what is in force. fn must not block.
func (s *Store) OnChange(fn func()) {
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	s.watchers = append(s.watchers, fn)
}

// Activate puts a site's configuration in force, with those of its tenants'
// snapshots that are here. It is kept on disk first. Nothing happens, and nobody
// is told, when all of it was in force already.
func (s *Store) Activate(site *edgev1.SiteConfig) error {
	changed, err := s.activate(site)
	if err != nil || !changed {
		return err
	}
	s.watchMu.Lock()
	watchers := slices.Clone(s.watchers)
	s.watchMu.Unlock()
	for _, fn := range watchers {
		fn()
	}
	return nil
}

func (s *Store) activate(site *edgev1.SiteConfig) (changed bool, err error) {
	s.activating.Lock()
	defer s.activating.Unlock()
	oldSite, old := s.state()
	tenants, indexed := map[int64]*tenant{}, false
	for _, a := range site.Tenants {
		now := s.advance(a, old[a.TenantId])
		if now != nil {
			tenants[a.TenantId] = now
		}
		indexed = indexed || now != old[a.TenantId]
	}
	indexed = indexed || len(tenants) != len(old)
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(site)
	if err != nil {
		return false, err
	}
	before, err := proto.MarshalOptions{Deterministic: true}.Marshal(oldSite)
	if err != nil {
		return false, err
	}
	sited := !bytes.Equal(data, before)
	if sited {
		if err := durable.WriteFile(s.siteFile, data); err != nil {
			return false, err
		}
	}
	if indexed {
		if err := s.saveIndex(tenants); err != nil {
			return false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.site, s.tenants = site, tenants
	return sited || indexed, nil
}

func (s *Store) state() (*edgev1.SiteConfig, map[int64]*tenant) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.site, s.tenants
}

// advance gives a tenant's state under an assignment: what it was, or the named
// snapshot if that is here.
func (s *Store) advance(a *edgev1.TenantAssignment, was *tenant) *tenant {
	if was != nil && was.manifests[0] == a.Manifest || a.Manifest == "" {
		return was
	}
	cfg := s.snapshot(a.TenantId, a.Manifest)
	if cfg == nil {
		return was
	}
	now := &tenant{cfg, []string{a.Manifest}}
	if was != nil {
		for _, m := range was.manifests {
			if m != a.Manifest && len(now.manifests) < keepManifests {
				now.manifests = append(now.manifests, m)
			}
		}
	}
	return now
}

func (s *Store) saveIndex(tenants map[int64]*tenant) error {
	kept := make(map[int64][]string, len(tenants))
	for id, t := range tenants {
		kept[id] = t.manifests
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return durable.WriteFile(s.index, data)
}

// Collect removes blobs that no kept snapshot names. It reads all of them, so it
// is for idle moments.
func (s *Store) Collect() {
	s.activating.Lock()
	defer s.activating.Unlock()
	_, tenants := s.state()
	keep := map[string]bool{}
	for id, t := range tenants {
		for i, m := range t.manifests {
			keep[m] = true
			cfg := t.cfg
			if i > 0 {
				cfg = s.snapshot(id, m)
			}
			for _, p := range cfg.GetPrompts() {
				keep[p.Hash] = true
			}
		}
	}
	if n := s.blobs.collect(keep, time.Now()); n > 0 {
		s.log.Info("old configuration removed", "blobs", n)
	}
}

// missing lists the snapshots of a site's configuration that are not here.
func (s *Store) missing(site *edgev1.SiteConfig) []*edgev1.TenantAssignment {
	var out []*edgev1.TenantAssignment
	for _, a := range site.GetTenants() {
		if validHash(a.Manifest) && !s.blobs.has(a.Manifest) {
			out = append(out, a)
		}
	}
	return out
}

// wantedPrompt is a prompt that a snapshot names.
type wantedPrompt struct {
	tenant int64
	hash   string
}

// missingPrompts lists prompts that the snapshots here name and that are not here.
func (s *Store) missingPrompts(site *edgev1.SiteConfig) []wantedPrompt {
	_, tenants := s.state()
	want := map[wantedPrompt]bool{}
	for _, a := range site.GetTenants() {
		var cfg *edgev1.TenantConfig
		if t := tenants[a.TenantId]; t != nil && t.manifests[0] == a.Manifest {
			cfg = t.cfg
		} else {
			cfg = s.snapshot(a.TenantId, a.Manifest)
		}
		for _, p := range cfg.GetPrompts() {
			if validHash(p.Hash) && !s.blobs.has(p.Hash) {
				want[wantedPrompt{a.TenantId, p.Hash}] = true
			}
		}
	}
	return slices.Collect(maps.Keys(want))
}
