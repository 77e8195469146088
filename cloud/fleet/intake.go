package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants/tenantdb"
)

// afterEnd is how long after a tenant left a site its facts are still applied:
// calls that ran then have ended by now.
const afterEnd = 12 * time.Hour

// PushFacts takes what continues the tenant's chain, all in one transaction:
// cursor, event log, and what every applier makes of each fact. The answer is the
// highest sequence stored without a gap; from there the site goes on.
func (s *Service) PushFacts(ctx context.Context, req *edgev1.PushFactsRequest) (*edgev1.PushFactsResponse, error) {
	id, err := s.node(ctx)
	if err != nil {
		return nil, err
	}
	if req.TenantId <= 0 || req.Epoch > 1<<62 {
		return nil, errNotAssigned
	}
	p := push{service: s, site: id.Site, req: req}
	if err := s.db.InTenant(ctx, req.TenantId, p.run); err != nil {
		if errors.Is(err, errNotAssigned) {
			notAssigned.Inc()
			s.log.WarnContext(ctx, "facts of a tenant the site does not serve", "site", id.Site, "node", id.Node, "tenant", req.TenantId)
		}
		return nil, err
	}
	p.count()
	if p.taken.broken != 0 {
		s.log.ErrorContext(ctx, "fact refused: the chain is broken", "site", id.Site, "node", id.Node, "tenant", req.TenantId,
			"epoch", req.Epoch, "seq", p.taken.broken, "high_water", p.cursor.seq)
		return nil, fault.New(fault.Conflict, "fault.facts.chain_broken",
			"seq", strconv.FormatUint(p.taken.broken, 10), "high_water", strconv.FormatUint(p.cursor.seq, 10))
	}
	return &edgev1.PushFactsResponse{HighWater: p.cursor.seq, Quarantined: p.quarantined}, nil
}

// push is one batch on its way in.
type push struct {
	service *Service
	site    string
	req     *edgev1.PushFactsRequest

	cursor      cursor
	taken       taken
	quarantined uint32
}

func (p *push) count() {
	if n := len(p.taken.fresh); n > 0 {
		factsTotal.WithLabelValues("stored").Add(float64(n))
	}
	if n := len(p.taken.old); n > 0 {
		factsTotal.WithLabelValues("duplicate").Add(float64(n))
	}
	if p.taken.gap {
		factsTotal.WithLabelValues("gap").Inc()
	}
	if p.taken.broken != 0 {
		factsTotal.WithLabelValues("refused").Inc()
	}
	factsTotal.WithLabelValues("quarantined").Add(float64(p.quarantined))
}

func (p *push) run(ctx context.Context, tx pgx.Tx) error {
	now, ended, err := p.service.cfg.Registry.Assigned(ctx, tx, p.req.TenantId, p.site)
	if err != nil {
		return err
	}
	if !now && ended == nil {
		return errNotAssigned
	}
	if err := p.lock(ctx, tx); err != nil {
		return err
	}
	p.taken = p.cursor.take(p.req.TenantId, p.req.Epoch, p.req.Facts)
	if err := p.compare(ctx, tx); err != nil {
		return err
	}
	if len(p.taken.fresh) == 0 {
		return nil
	}
	if err := p.log(ctx, tx); err != nil {
		return err
	}
	for _, f := range p.taken.fresh {
		// What is reported of a time after the tenant left is kept, not believed.
		if !now && time.UnixMicro(f.At).After(ended.Add(afterEnd)) {
			if err := p.hold(ctx, tx, f, "reported for a time after the assignment ended", false); err != nil {
				return err
			}
			continue
		}
		cause, err := p.service.apply(ctx, tx, p.site, f)
		if err != nil {
			return err
		}
		if cause != nil {
			p.service.log.ErrorContext(ctx, "fact put into quarantine", "tenant", f.TenantId, "site", p.site, "epoch", f.Epoch,
				"seq", f.Seq, "kind", f.Kind, "error", cause)
			if err := p.hold(ctx, tx, f, cause.Error(), true); err != nil {
				return err
			}
		}
	}
	return nil
}

// lock takes the chain's row, making it for a new epoch.
func (p *push) lock(ctx context.Context, tx pgx.Tx) error {
	type row struct {
		Seq  int64
		Hash []byte
	}
	if _, err := tx.Exec(ctx, `INSERT INTO fact_cursors (tenant_id, site_id, epoch, seq, hash) VALUES ($1, $2, $3, 0, '')
		ON CONFLICT DO NOTHING`, p.req.TenantId, p.site, int64(p.req.Epoch)); err != nil {
		return err
	}
	r, err := tenantdb.TxOne[row](ctx, tx, `SELECT seq, hash FROM fact_cursors WHERE tenant_id = $1 AND site_id = $2 AND epoch = $3
		FOR UPDATE`, p.req.TenantId, p.site, int64(p.req.Epoch))
	p.cursor = cursor{uint64(r.Seq), r.Hash}
	return err
}

// compare looks whether what was sent before is what is stored: a chain that was
// begun again under the same epoch would else vanish as duplicates.
func (p *push) compare(ctx context.Context, tx pgx.Tx) error {
	if len(p.taken.old) == 0 {
		return nil
	}
	seqs := make([]int64, len(p.taken.old))
	for i, f := range p.taken.old {
		seqs[i] = int64(f.Seq)
	}
	type row struct {
		Seq  int64
		Hash []byte
	}
	rows, err := tenantdb.TxMany[row](ctx, tx, `SELECT seq, hash FROM facts WHERE tenant_id = $1 AND site_id = $2 AND epoch = $3
		AND seq = ANY ($4)`, p.req.TenantId, p.site, int64(p.req.Epoch), seqs)
	if err != nil {
		return err
	}
	have := map[uint64][]byte{}
	for _, r := range rows {
		have[uint64(r.Seq)] = r.Hash
	}
	for _, f := range p.taken.old {
		if !bytes.Equal(have[f.Seq], f.Hash) {
			// Nothing of a batch that contradicts itself is stored.
			p.taken.broken, p.taken.fresh = f.Seq, nil
			return p.lock(ctx, tx)
		}
	}
	return nil
}

// log stores the fresh facts and moves the chain's row.
func (p *push) log(ctx context.Context, tx pgx.Tx) error {
	n := len(p.taken.fresh)
	seqs, ats, kinds := make([]int64, n), make([]int64, n), make([]string, n)
	times, hashes, bodies := make([]time.Time, n), make([][]byte, n), make([][]byte, n)
	for i, f := range p.taken.fresh {
		seqs[i], ats[i], kinds[i], times[i], hashes[i] = int64(f.Seq), f.At, f.Kind, time.UnixMicro(f.At), f.Hash
		if bodies[i] = f.Body; bodies[i] == nil {
			bodies[i] = []byte{}
		}
	}
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO facts (tenant_id, site_id, epoch, seq, kind, at, at_us, hash, body)
		SELECT $1, $2, $3, * FROM unnest($4::bigint[], $5::text[], $6::timestamptz[], $7::bigint[], $8::bytea[], $9::bytea[])`,
		p.req.TenantId, p.site, int64(p.req.Epoch), seqs, kinds, times, ats, hashes, bodies)
	batch.Queue(`UPDATE fact_cursors SET seq = $4, hash = $5, clock_offset_us = $6, updated_at = now()
		WHERE tenant_id = $1 AND site_id = $2 AND epoch = $3`,
		p.req.TenantId, p.site, int64(p.req.Epoch), int64(p.cursor.seq), p.cursor.hash, p.req.ClockOffset)
	batch.Queue("SELECT pg_notify($1, $2)", FactsChannel, strconv.FormatInt(p.req.TenantId, 10))
	return tx.SendBatch(ctx, batch).Close()
}

func (p *push) hold(ctx context.Context, tx pgx.Tx, f *edgev1.Fact, why string, retry bool) error {
	p.quarantined++
	_, err := tx.Exec(ctx, "INSERT INTO quarantine (tenant_id, site_id, epoch, seq, error, retry) VALUES ($1, $2, $3, $4, $5, $6)",
		f.TenantId, p.site, int64(f.Epoch), int64(f.Seq), shorten(why), retry)
	return err
}

func shorten(s string) string {
	if len(s) > 2000 {
		s = s[:2000]
	}
	return string(bytes.ToValidUTF8(bytes.ReplaceAll([]byte(s), []byte{0}, nil), []byte("?")))
}

// apply hands a fact to every applier under one savepoint. cause is why the fact
// can not be applied; err is a failure that is not the fact's.
func (s *Service) apply(ctx context.Context, tx pgx.Tx, site string, f *edgev1.Fact) (cause, err error) {
	sp, err := tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range s.cfg.Appliers {
		if cause = applyOne(ctx, sp, a, site, f); cause != nil {
			break
		}
	}
	if cause == nil {
		return nil, sp.Commit(ctx)
	}
	if ours(ctx, tx, cause) {
		return nil, cause
	}
	return cause, sp.Rollback(ctx)
}

func applyOne(ctx context.Context, tx pgx.Tx, a Applier, site string, f *edgev1.Fact) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return a.Apply(ctx, tx, site, f)
}

// ours says whether a failure is the cloud's rather than the fact's: then the
// whole batch is undone and the site sends it again.
func ours(ctx context.Context, tx pgx.Tx, err error) bool {
	if ctx.Err() != nil || tx.Conn().IsClosed() {
		return true
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && len(pgErr.Code) == 5 {
		switch pgErr.Code[:2] {
		case "08", "40", "53", "55", "57", "58", "XX": // connection, conflict, resources, locks, operator, system
			return true
		}
	}
	return false
}
