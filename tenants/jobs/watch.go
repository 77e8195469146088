package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"trunkline/internal/fault"
	"trunkline/internal/life"
)

var (
	attemptsTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "trunkline_job_attempts_total", Help: "Attempts at jobs, by kind and outcome (done, failed, given_up, stopped).",
	}, []string{"kind", "outcome"})
	took = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name: "trunkline_job_seconds", Help: "How long an attempt at a job took, by kind.",
		Buckets: []float64{0.01, 0.1, 1, 10, 60, 600},
	}, []string{"kind"})
	counts = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Name: "trunkline_jobs", Help: "Jobs in the database, the same on every replica, by kind and state (River's; discarded and cancelled are given up).",
	}, []string{"kind", "state"})
	oldest = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Name: "trunkline_job_oldest_seconds", Help: "Age of the oldest job not yet done, by kind.",
	}, []string{"kind"})
)

// counter measures every attempt and logs those that fail, never the arguments:
// they may hold secrets.
type counter struct {
	river.PluginDefaults
	log *slog.Logger
}

// Work implements rivertype.WorkerMiddleware.
func (c *counter) Work(ctx context.Context, job *rivertype.JobRow, inner func(context.Context) error) error {
	began := time.Now()
	err := inner(ctx)
	_, final := errors.AsType[*rivertype.JobCancelError](err)
	outcome := "done"
	switch {
	case err == nil:
	case ctx.Err() != nil:
		outcome = "stopped"
	case final || job.Attempt >= job.MaxAttempts:
		outcome = "given_up"
		c.log.ErrorContext(ctx, "job given up", append(about(job), "error", err, "reference", fault.NewReference())...)
	default:
		outcome = "failed"
		c.log.WarnContext(ctx, "job failed", append(about(job), "error", err)...)
	}
	attemptsTotal.WithLabelValues(job.Kind, outcome).Inc()
	took.WithLabelValues(job.Kind).Observe(time.Since(began).Seconds())
	return err
}

// about are the words by which logs name a job.
func about(job *rivertype.JobRow) []any {
	out := []any{"job", job.Kind, "id", job.ID, "attempt", job.Attempt, "of", job.MaxAttempts}
	var of struct {
		Tenant int64 `json:"tenant"`
	}
	if json.Unmarshal(job.Metadata, &of) == nil && of.Tenant != 0 {
		out = append(out, "tenant", of.Tenant)
	}
	return out
}

// panics logs what counter does not see.
type panics struct{ log *slog.Logger }

// HandleError implements river.ErrorHandler.
func (panics) HandleError(context.Context, *rivertype.JobRow, error) *river.ErrorHandlerResult {
	return nil
}

// HandlePanic implements river.ErrorHandler.
func (p panics) HandlePanic(ctx context.Context, job *rivertype.JobRow, value any, trace string) *river.ErrorHandlerResult {
	outcome := "failed"
	if job.Attempt >= job.MaxAttempts {
		outcome = "given_up"
	}
	attemptsTotal.WithLabelValues(job.Kind, outcome).Inc()
	p.log.ErrorContext(ctx, "job panicked", append(about(job), "outcome", outcome, "panic", fmt.Sprint(value), "stack", trace, "reference", fault.NewReference())...)
	return nil
}

const watchEvery = 30 * time.Second

// watch counts what there is to do, also while nobody does it.
func watch(db pool) life.Service {
	return life.Loop("count of jobs", func(ctx context.Context) error {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			if err := count(ctx, db); err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "jobs not counted", "error", err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
		}
	})
}

func count(ctx context.Context, db pool) error {
	rows, err := db.Query(ctx, `SELECT kind, state::text, count(*),
			coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE finalized_at IS NULL)), 0)::float8
		FROM `+riverSchema+`.river_job WHERE state <> 'completed' GROUP BY kind, state`)
	if err != nil {
		return err
	}
	counts.Reset()
	ages := map[string]float64{}
	var kind, state string
	var n int64
	var age float64
	_, err = pgx.ForEachRow(rows, []any{&kind, &state, &n, &age}, func() error {
		counts.WithLabelValues(kind, state).Set(float64(n))
		ages[kind] = max(ages[kind], age)
		return nil
	})
	oldest.Reset()
	for kind, age := range ages {
		oldest.WithLabelValues(kind).Set(age)
	}
	return err
}

// quiet keeps River's own lines to what we do not say ourselves.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(errorsOnly{log.Handler()}) }

type errorsOnly struct{ slog.Handler }

func (h errorsOnly) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError && h.Handler.Enabled(ctx, l)
}

func (h errorsOnly) WithAttrs(a []slog.Attr) slog.Handler { return errorsOnly{h.Handler.WithAttrs(a)} }

func (h errorsOnly) WithGroup(n string) slog.Handler { return errorsOnly{h.Handler.WithGroup(n)} }
