package uplink

import (
	"context"
	"maps"

	"google.golang.org/protobuf/proto"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// A snapshot is put in force only when a majority of the nodes holds its blobs:
// then no single death leaves the site with a configuration nobody has.

// spread sees to it that a majority of the site holds what a configuration
// names, and gives what of it may be activated: a tenant whose blobs a majority
// does not hold keeps the snapshot it has, and holds up nobody else.
func (u *Uplink) spread(ctx context.Context, desired *edgev1.SiteConfig) *edgev1.SiteConfig {
	active := map[int64]string{}
	for _, a := range u.site.View().Site().GetTenants() {
		active[a.TenantId] = a.Manifest
	}
	blobs := map[int64][]string{} // of tenants with a new snapshot
	var all []string
	for _, a := range desired.GetTenants() {
		if a.Manifest != "" && a.Manifest != active[a.TenantId] {
			blobs[a.TenantId] = u.cfg.Store.holds(a)
			all = append(all, blobs[a.TenantId]...)
		}
	}
	held := u.spreadBlobs(ctx, all)
	ready := proto.CloneOf(desired)
	for _, a := range ready.Tenants {
		if list, changed := blobs[a.TenantId]; changed && (len(list) == 0 || !allOf(held, list)) {
			u.log.Warn("snapshot not activated yet: no majority of the nodes holds it", "tenant", a.TenantId, "manifest", a.Manifest)
			a.Manifest = active[a.TenantId]
		}
	}
	return ready
}

func allOf(held map[string]bool, hashes []string) bool {
	for _, h := range hashes {
		if !held[h] {
			return false
		}
	}
	return true
}

// holdAtOnce is how many blobs the nodes are asked for at once.
const holdAtOnce = 1000

func (u *Uplink) spreadBlobs(ctx context.Context, hashes []string) map[string]bool {
	held := map[string]bool{}
	for len(hashes) > 0 {
		n := min(len(hashes), holdAtOnce)
		if u.cfg.Peers != nil {
			maps.Copy(held, u.cfg.Peers.Hold(ctx, hashes[:n]))
		} else {
			for _, h := range hashes[:n] {
				held[h] = true
			}
		}
		hashes = hashes[n:]
	}
	return held
}

// Hold copies blobs from the other nodes and lists those it could not get.
func (u *Uplink) Hold(ctx context.Context, hashes []string) (missing []string) {
	var want []string
	for _, h := range hashes {
		if !u.cfg.Store.blobs.has(h) {
			want = append(want, h)
		}
	}
	u.each(ctx, fetchTimeout, len(want), func(ctx context.Context, i int) {
		if !validHash(want[i]) {
			return
		}
		if err := u.fetchFrom(ctx, want[i], u.neighbours(want[i])); err != nil {
			u.log.Warn("configuration not copied yet", "hash", want[i], "error", err)
		}
	})
	for _, h := range want {
		if !u.cfg.Store.blobs.has(h) {
			missing = append(missing, h)
		}
	}
	return missing
}

// holds lists the blobs here of a tenant's snapshot, none if that itself is not
// here. A prompt that could not be fetched in time is left out.
func (s *Store) holds(a *edgev1.TenantAssignment) []string {
	cfg := s.snapshot(a.TenantId, a.Manifest)
	if cfg == nil {
		return nil
	}
	out := []string{a.Manifest}
	seen := map[string]bool{}
	for _, p := range cfg.GetPrompts() {
		if !seen[p.Hash] && s.blobs.has(p.Hash) {
			seen[p.Hash] = true
			out = append(out, p.Hash)
		}
	}
	return out
}
