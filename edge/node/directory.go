package node

import (
	"crypto/ed25519"
	"log/slog"
	"maps"
	"net/netip"
	"sync/atomic"
	"time"

	"trunkline/edge/sip"
	"trunkline/edge/switchboard"
	"trunkline/internal/flow"
	"trunkline/internal/prompts"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// directory is the configuration this node works by, made ready to look things
// up: who owns a number, what a flow says, which trunks may call. It is rebuilt
// whole at each change and never changed in place.
type directory struct {
	site    *edgev1.SiteConfig
	tenants map[int64]*tenantRules
	numbers map[string]numberRow // by E.164
	trunks  []sip.Trunk
	keys    map[string]ed25519.PublicKey
	// documents of flows, by id and version: older versions stay while this
	// process lives, because calls may still be in them.
	documents map[string]*flow.Document
}

type tenantRules struct {
	cfg       *edgev1.TenantConfig
	assigned  *edgev1.TenantAssignment
	queues    map[string]*edgev1.Queue
	published map[string]string // flow id to version
	zone      *time.Location
}

type numberRow struct {
	tenant        int64
	flowID, trunk string
}

// maxDocuments bounds the older versions kept; beyond it all but the current go.
const maxDocuments = 10_000

// suspendedVersion marks a call that only hears the notice of suspension.
const suspendedVersion = "suspended"

// configs is what the uplink keeps of the cloud's snapshots.
type configs interface {
	Tenant(id int64) *edgev1.TenantConfig
	Prompt(tenant int64, language, name string) []byte
	// Flow gives the document of a version kept for calls that began with it.
	Flow(tenant int64, flowID, version string) ([]byte, bool)
}

// newDirectory reads site and snapshots; what cannot be read is logged and left out.
func newDirectory(site *edgev1.SiteConfig, cfgs configs, old *directory, log *slog.Logger) *directory {
	d := &directory{
		site: site, tenants: map[int64]*tenantRules{}, numbers: map[string]numberRow{},
		keys: map[string]ed25519.PublicKey{}, documents: map[string]*flow.Document{},
	}
	if old != nil && len(old.documents) < maxDocuments {
		maps.Copy(d.documents, old.documents)
	}
	for id, key := range site.GetTokenKeys() {
		if len(key) == ed25519.PublicKeySize {
			d.keys[id] = ed25519.PublicKey(key)
		}
	}
	for _, a := range site.GetTenants() {
		cfg := cfgs.Tenant(a.GetTenantId())
		if cfg == nil {
			log.Warn("tenant's snapshot is not here yet", "tenant", a.GetTenantId())
			continue
		}
		d.addTenant(a, cfg, log)
	}
	for _, t := range site.GetTrunks() {
		d.trunks = append(d.trunks, trunkOf(t, log))
	}
	return d
}

func (d *directory) addTenant(a *edgev1.TenantAssignment, cfg *edgev1.TenantConfig, log *slog.Logger) {
	t := &tenantRules{
		cfg: cfg, assigned: a, queues: map[string]*edgev1.Queue{}, published: map[string]string{}, zone: time.UTC,
	}
	if z, err := time.LoadLocation(cfg.GetTimeZone()); err == nil {
		t.zone = z
	}
	for _, q := range cfg.GetQueues() {
		t.queues[q.GetId()] = q
	}
	for _, f := range cfg.GetFlows() {
		key := documentKey(f.GetFlowId(), f.GetVersion())
		if d.documents[key] == nil {
			doc, err := flow.Parse(f.GetDocument())
			if err != nil {
				log.Error("flow cannot be read", "tenant", cfg.GetTenantId(), "flow", f.GetFlowId(), "error", err)
				continue
			}
			d.documents[key] = doc
		}
		t.published[f.GetFlowId()] = f.GetVersion()
	}
	for _, n := range cfg.GetNumbers() {
		d.numbers[n.GetE164()] = numberRow{tenant: cfg.GetTenantId(), flowID: n.GetFlowId(), trunk: n.GetTrunkId()}
	}
	d.tenants[cfg.GetTenantId()] = t
}

func documentKey(flowID, version string) string { return flowID + "@" + version }

func trunkOf(t *edgev1.Trunk, log *slog.Logger) sip.Trunk {
	out := sip.Trunk{
		ID: t.GetId(), Name: t.GetName(), Tenant: t.GetTenantId(), Target: t.GetTarget(),
		Transport: t.GetTransport(), Takeover: t.GetTakeover(), MaxCalls: int(t.GetMaxCalls()),
	}
	for _, a := range t.GetAllowed() {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			var ip netip.Addr
			if ip, err = netip.ParseAddr(a); err == nil {
				p = netip.PrefixFrom(ip, ip.BitLen())
			}
		}
		if err != nil {
			log.Error("trunk address cannot be read", "trunk", t.GetId(), "address", a)
			continue
		}
		out.Allowed = append(out.Allowed, p)
	}
	return out
}

// shortest is how long calls of a tenant must last on average so that it can
// have as many of them at a time as it may: with shorter ones it would cost the
// nodes more than its size says.
const shortest = 10 * time.Second

// tenantOf is who a call to the number is for, and how often it may be called;
// as often as it likes where there is nobody else.
func (d *directory) tenantOf(called string) sip.Tenant {
	row, ok := d.numbers[called]
	if !ok || len(d.tenants) == 1 {
		return sip.Tenant{ID: row.tenant}
	}
	calls := d.tenants[row.tenant].cfg.GetMaxCalls()
	return sip.Tenant{ID: row.tenant, PerSecond: float64(calls) / shortest.Seconds(), Burst: int(calls)}
}

// suspended tells whether new calls of the tenant only hear the notice.
func (t *tenantRules) suspended() bool { return t.assigned.GetSuspended() }

// dayStart is the last midnight in the tenant's zone, Unix microseconds.
func (t *tenantRules) dayStart(now int64) int64 {
	at := time.UnixMicro(now).In(t.zone)
	return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, t.zone).UnixMicro()
}

// rules answers the switchboard from the newest directory.
type rules struct {
	dir  *atomic.Pointer[directory]
	cfgs configs
}

func (r rules) tenant(id int64) *tenantRules { return r.dir.Load().tenants[id] }

// Queue gives the bounds of a stay; the zero rules for a queue that was deleted
// while somebody waited in it.
func (r rules) Queue(tenant int64, id string) switchboard.QueueRules {
	t := r.tenant(tenant)
	if t == nil || t.queues[id] == nil {
		return switchboard.QueueRules{}
	}
	q := t.queues[id]
	return switchboard.QueueRules{
		MaxWait: int64(q.GetMaxWaitMs()) * 1000, MaxWaiting: q.GetMaxWaiting(),
		PositionEvery: int64(q.GetPositionEveryMs()) * 1000, WrapUp: int64(q.GetWrapUpMs()) * 1000,
		Music: q.GetMusic(),
	}
}

// Document gives a version of a flow, also one that is no longer published.
func (r rules) Document(tenant int64, flowID, version string) (*flow.Document, bool) {
	if version == suspendedVersion {
		return suspendedNotice(r.tenant(tenant)), true
	}
	if d, ok := r.dir.Load().documents[documentKey(flowID, version)]; ok {
		return d, true
	}
	// A version from before this process began, of a call taken over.
	raw, ok := r.cfgs.Flow(tenant, flowID, version)
	if !ok {
		return nil, false
	}
	d, err := flow.Parse(raw)
	return d, err == nil
}

// Clip gives the tenant's own prompt, else the included one in the language,
// else the included one in English.
func (r rules) Clip(tenant int64, language, name string) []byte {
	if b := r.cfgs.Prompt(tenant, language, name); len(b) > 0 {
		return b
	}
	if b, ok := prompts.Get(name, language); ok {
		return b
	}
	b, _ := prompts.Get(name, "en")
	return b
}

// offerTimeout is how long an agent of the queue is rung.
func (r rules) offerTimeout(tenant int64, queue string) time.Duration {
	const usual = 20 * time.Second
	t := r.tenant(tenant)
	if t == nil || t.queues[queue].GetOfferTimeoutMs() == 0 {
		return usual
	}
	return time.Duration(t.queues[queue].GetOfferTimeoutMs()) * time.Millisecond
}

// suspendedNotice is what callers of a suspended tenant hear.
func suspendedNotice(t *tenantRules) *flow.Document {
	language := "en"
	if t != nil && t.cfg.GetLanguage() != "" {
		language = t.cfg.GetLanguage()
	}
	return &flow.Document{
		Schema: flow.Schema, Language: language, Start: "notice",
		Nodes: map[string]flow.Node{
			"notice": {Type: flow.Play, Prompt: "suspended_notice", Next: "end"},
			"end":    {Type: flow.Hangup},
		},
	}
}
