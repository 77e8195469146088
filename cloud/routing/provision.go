package routing

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/flow"
	"trunkline/tenants"
)

// words are what a new tenant begins with, in its language.
type words struct {
	queue, flow  string
	wrapUp, rest []string
}

var first = map[string]words{
	"en": {
		queue: "Support", flow: "Main menu",
		wrapUp: []string{"Solved", "Follow-up needed", "Passed on", "Wrong number"},
		rest:   []string{"Break", "Lunch", "Meeting", "Training"},
	},
	"zh-Hans": {
		queue: "客户服务", flow: "主菜单",
		wrapUp: []string{"已解决", "需要跟进", "已转交", "打错电话"},
		rest:   []string{"休息", "午餐", "会议", "培训"},
	},
}

// Provision gives a new tenant a queue, a flow that leads to it, and settings.
func (s *Service) Provision(ctx context.Context, tx pgx.Tx, t tenants.Tenant) error {
	w, ok := first[t.Language]
	if !ok {
		w = first["en"]
	}
	q := newQueue(w.queue)
	if err := insertQueue(ctx, tx, t.ID, q); err != nil {
		return err
	}
	wrapUp, err := json.Marshal(named(w.wrapUp))
	if err != nil {
		return err
	}
	rest, err := json.Marshal(named(w.rest))
	if err != nil {
		return err
	}
	id := tenants.NewID()
	batch := &pgx.Batch{}
	batch.Queue("INSERT INTO settings (tenant_id, wrap_up_codes, break_reasons) VALUES ($1, $2, $3)", t.ID, wrapUp, rest)
	batch.Queue("INSERT INTO flows (tenant_id, id, name, published) VALUES ($1, $2, $3, 1)", t.ID, id, w.flow)
	batch.Queue("INSERT INTO flow_versions (tenant_id, flow_id, version, document) VALUES ($1, $2, 1, $3)",
		t.ID, id, string(flow.Default(t.Language, q.ID)))
	return tx.SendBatch(ctx, batch).Close()
}

func named(names []string) []Code {
	out := make([]Code, len(names))
	for i, n := range names {
		out[i] = Code{ID: tenants.NewID(), Name: n}
	}
	return out
}
