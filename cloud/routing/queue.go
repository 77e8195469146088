package routing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

const maxQueues = 200 // of a tenant

// queue is a row of queues; times in seconds.
type queue struct {
	ID             string
	Name           string
	OfferTimeoutS  int32
	WrapUpS        int32
	MaxWaitS       int32 // 0 = without end
	MaxWaiting     int32 // 0 = without bound
	PositionEveryS int32 // 0 = never
	Music          string
	Priority       int32
}

const queueColumns = "id, name, offer_timeout_s, wrap_up_s, max_wait_s, max_waiting, position_every_s, music, priority"

// newQueue has what a queue begins with.
func newQueue(name string) queue {
	return queue{
		ID: tenants.NewID(), Name: name, OfferTimeoutS: 20, WrapUpS: 30, MaxWaitS: 600, MaxWaiting: 100, PositionEveryS: 60, Music: "music",
	}
}

func (q queue) view(members int) *cloudv1.Queue {
	return &cloudv1.Queue{
		Id: q.ID, Name: q.Name, OfferTimeoutS: uint32(q.OfferTimeoutS), WrapUpS: uint32(q.WrapUpS), MaxWaitS: uint32(q.MaxWaitS),
		MaxWaiting: uint32(q.MaxWaiting), PositionEveryS: uint32(q.PositionEveryS), Members: uint32(members),
	}
}

func (q queue) config() *edgev1.Queue {
	return &edgev1.Queue{
		Id: q.ID, Name: q.Name, OfferTimeoutMs: ms(q.OfferTimeoutS), WrapUpMs: ms(q.WrapUpS), MaxWaitMs: ms(q.MaxWaitS),
		MaxWaiting: uint32(q.MaxWaiting), Music: q.Music, PositionEveryMs: ms(q.PositionEveryS), Priority: q.Priority,
	}
}

func ms(seconds int32) uint32 { return uint32(seconds) * 1000 }

// ListQueues gives the tenant's queues by name, with how many serve each.
func (s *Service) ListQueues(ctx context.Context, _ *cloudv1.ListQueuesRequest) (*cloudv1.ListQueuesResponse, error) {
	type counted struct {
		queue
		Members int
	}
	tenant := rpcx.TenantFrom(ctx)
	rows, err := tenantdb.Many[counted](ctx, s.db, tenant, "SELECT "+queueColumns+`,
		(SELECT count(*) FROM memberships m WHERE m.tenant_id = q.tenant_id AND NOT m.disabled AND `+serves+`) AS members
		FROM queues q WHERE q.tenant_id = $1 ORDER BY q.name LIMIT $2`, tenant, maxQueues)
	out := &cloudv1.ListQueuesResponse{}
	for _, r := range rows {
		out.Queues = append(out.Queues, r.view(r.Members))
	}
	return out, err
}

// serves says of membership m and queue q: chosen, or nothing was chosen.
const serves = `(EXISTS (SELECT FROM queue_members c WHERE c.tenant_id = m.tenant_id AND c.membership_id = m.id AND c.queue_id = q.id)
	OR NOT EXISTS (SELECT FROM queue_members c WHERE c.tenant_id = m.tenant_id AND c.membership_id = m.id))`

// SaveQueue makes a queue, or changes the one with the id.
func (s *Service) SaveQueue(ctx context.Context, req *cloudv1.SaveQueueRequest) (*cloudv1.Queue, error) {
	tenant, in := rpcx.TenantFrom(ctx), req.Queue
	q := queue{
		ID: in.Id, Name: strings.TrimSpace(in.Name), OfferTimeoutS: int32(in.OfferTimeoutS), WrapUpS: int32(in.WrapUpS),
		MaxWaitS: int32(in.MaxWaitS), MaxWaiting: int32(in.MaxWaiting), PositionEveryS: int32(in.PositionEveryS), Music: "music",
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	var members int
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) (err error) {
		action := "queue.changed"
		if q.ID == "" {
			q.ID, action = tenants.NewID(), "queue.created"
			err = createQueue(ctx, tx, tenant, q)
		} else {
			err = changeQueue(ctx, tx, tenant, q)
		}
		if err != nil {
			return err
		}
		members, err = tenantdb.TxOne[int](ctx, tx, `SELECT count(*) FROM memberships m, queues q
			WHERE q.tenant_id = $1 AND q.id = $2 AND m.tenant_id = q.tenant_id AND NOT m.disabled AND `+serves, tenant, q.ID)
		if err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{
			Tenant: tenant, Action: action, Subject: q.ID, Details: map[string]string{"name": q.Name},
		})
	})
	if err != nil {
		return nil, err
	}
	return q.view(members), nil
}

func (q *queue) check() error {
	invalid := func(field, key string, kv ...string) error {
		return fault.New(fault.Invalid, key, kv...).WithField("queue." + field)
	}
	switch {
	case q.Name == "":
		return invalid("name", "fault.field.required")
	case q.OfferTimeoutS < 5:
		return invalid("offer_timeout_s", "fault.field.too_small", "min", "5")
	case q.PositionEveryS > 0 && q.PositionEveryS < 10:
		return invalid("position_every_s", "fault.field.too_small", "min", "10")
	}
	return nil
}

func createQueue(ctx context.Context, tx pgx.Tx, tenant int64, q queue) error {
	n, err := tenantdb.TxOne[int](ctx, tx, "SELECT count(*) FROM queues WHERE tenant_id = $1", tenant)
	if err != nil {
		return err
	}
	if n >= maxQueues {
		return fault.New(fault.Exhausted, "fault.queue.too_many", "max", fmt.Sprint(maxQueues))
	}
	return insertQueue(ctx, tx, tenant, q)
}

func insertQueue(ctx context.Context, tx pgx.Tx, tenant int64, q queue) error {
	_, err := tx.Exec(ctx, "INSERT INTO queues (tenant_id, "+queueColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		tenant, q.ID, q.Name, q.OfferTimeoutS, q.WrapUpS, q.MaxWaitS, q.MaxWaiting, q.PositionEveryS, q.Music, q.Priority)
	return queueName(err)
}

func changeQueue(ctx context.Context, tx pgx.Tx, tenant int64, q queue) error {
	tag, err := tx.Exec(ctx, `UPDATE queues SET name = $3, offer_timeout_s = $4, wrap_up_s = $5, max_wait_s = $6, max_waiting = $7,
		position_every_s = $8 WHERE tenant_id = $1 AND id = $2`,
		tenant, q.ID, q.Name, q.OfferTimeoutS, q.WrapUpS, q.MaxWaitS, q.MaxWaiting, q.PositionEveryS)
	if err == nil && tag.RowsAffected() == 0 {
		return errNoQueue
	}
	return queueName(err)
}

func queueName(err error) error {
	if tenantdb.IsUnique(err, "queues_name") {
		return fault.New(fault.Conflict, "fault.queue.name_taken").WithField("queue.name")
	}
	return err
}

var errNoQueue = fault.New(fault.NotFound, "fault.queue.not_found")

// Members knows which queues members serve; it implements tenants.MemberQueues.
type Members struct{}

// QueuesOf gives the queues chosen for each member; none means all.
func (Members) QueuesOf(ctx context.Context, tx pgx.Tx, tenant int64, memberships []string) (map[string][]string, error) {
	type row struct{ MembershipID, QueueID string }
	rows, err := tenantdb.TxMany[row](ctx, tx, `SELECT membership_id, queue_id FROM queue_members
		WHERE tenant_id = $1 AND membership_id = ANY ($2) ORDER BY membership_id, queue_id`, tenant, memberships)
	out := map[string][]string{}
	for _, r := range rows {
		out[r.MembershipID] = append(out[r.MembershipID], r.QueueID)
	}
	return out, err
}

// CheckQueues gives a NotFound fault unless the tenant has all of the queues.
func (Members) CheckQueues(ctx context.Context, tx pgx.Tx, tenant int64, queues []string) error {
	known, err := tenantdb.TxMany[string](ctx, tx, "SELECT id FROM queues WHERE tenant_id = $1 AND id = ANY ($2)", tenant, queues)
	if err != nil {
		return err
	}
	for i, id := range queues {
		if !slices.Contains(known, id) {
			return errNoQueue.WithField(fmt.Sprintf("queue_ids[%d]", i))
		}
	}
	return nil
}

// SetQueues replaces the queues chosen for a member.
func (m Members) SetQueues(ctx context.Context, tx pgx.Tx, tenant int64, membership string, queues []string) error {
	if err := m.CheckQueues(ctx, tx, tenant, queues); err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue("DELETE FROM queue_members WHERE tenant_id = $1 AND membership_id = $2 AND queue_id <> ALL ($3)", tenant, membership, notNil(queues))
	batch.Queue(`INSERT INTO queue_members (tenant_id, membership_id, queue_id) SELECT $1, $2, q FROM unnest($3::text[]) q
		ON CONFLICT DO NOTHING`, tenant, membership, notNil(queues))
	return tx.SendBatch(ctx, batch).Close()
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// QueueNames gives the names of the tenant's queues by id, for other features.
func (s *Service) QueueNames(ctx context.Context, tenant int64) (map[string]string, error) {
	type row struct{ ID, Name string }
	rows, err := tenantdb.Many[row](ctx, s.db, tenant, "SELECT id, name FROM queues WHERE tenant_id = $1", tenant)
	out := map[string]string{}
	for _, r := range rows {
		out[r.ID] = r.Name
	}
	return out, err
}

func noRows(err error) bool { return errors.Is(err, tenantdb.ErrNoRows) }
