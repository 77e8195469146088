package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"trunkline/internal/life"
	"trunkline/tenants/tenantdb"
)

const (
	// perReplica is how many jobs of each of its own queues a replica does at a time.
	perReplica = 4
	// limit bounds one attempt of a worker that names none.
	limit = time.Minute
	// rescueAfter is when a job whose replica died is taken up by another, unless
	// its own limit is longer.
	rescueAfter = limit + 10*time.Second
	// pollEvery is how late a job is at most when its notice was lost.
	pollEvery = 5 * time.Second
	// keepDone is how long a job that was done can be looked at, keepGivenUp one
	// that was not.
	keepDone    = 24 * time.Hour
	keepGivenUp = 30 * 24 * time.Hour
	// softStop is how long running jobs may go on at a stop.
	softStop = 5 * time.Second
)

// Jobs does what was inserted. It is a life.Service.
type Jobs struct {
	url string
	log *slog.Logger

	workers  *river.Workers
	periodic []*river.PeriodicJob
	queues   map[string]river.QueueConfig
	soft     time.Duration
	adjust   func(*river.Config) // tests

	mu     sync.Mutex
	pool   pool
	client *river.Client[pgx.Tx]
	watch  life.Service
}

// pool is tenantdb's of the jobs' role.
type pool interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Close()
}

// New makes a runner of the jobs in the database at url.
func New(url string, log *slog.Logger) *Jobs {
	return &Jobs{
		url: url, log: log, workers: river.NewWorkers(),
		queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: perReplica}, tenantsQueue: {MaxWorkers: perReplica}},
		soft:   softStop, adjust: func(*river.Config) {},
	}
}

// Queue opens a queue of its own, of which this replica does n jobs at a time.
// What is in a queue that no replica opens waits. Before Start.
func (j *Jobs) Queue(name string, n int) { j.queues[name] = river.QueueConfig{MaxWorkers: n} }

// Start begins to do what is to be done.
func (j *Jobs) Start(ctx context.Context) (err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.client != nil {
		return errors.New("the jobs run already")
	}
	pool, err := tenantdb.OpenJobs(ctx, j.url)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			pool.Close()
		}
	}()
	cfg := &river.Config{
		Schema: riverSchema, Queues: j.queues, Workers: j.workers, PeriodicJobs: j.periodic, Logger: quiet(j.log),
		FetchOnlyKnownKinds: true, // a newer release runs beside this one
		FetchPollInterval:   pollEvery, JobTimeout: limit, RescueStuckJobsAfter: rescueAfter,
		RetryPolicy:                 backoff{first: 10 * time.Second, last: 30 * time.Minute},
		CompletedJobRetentionPeriod: keepDone, CancelledJobRetentionPeriod: keepGivenUp, DiscardedJobRetentionPeriod: keepGivenUp,
		ReindexerIndexNames: []string{}, // needs the tables' owner; vacuuming does
		ErrorHandler:        panics{j.log}, Plugins: []rivertype.Plugin{&counter{log: j.log}},
	}
	j.adjust(cfg)
	client, err := river.NewClient(riverpgxv5.New(pool), cfg)
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	ctx = context.WithoutCancel(ctx)
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	j.pool, j.client, j.watch = pool, client, watch(pool)
	return j.watch.Start(ctx)
}

// Stop lets running jobs come to their end for a while, then cancels them: they
// are done again later, and that attempt does not count.
func (j *Jobs) Stop(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.client == nil {
		return nil
	}
	if err := j.watch.Stop(ctx); err != nil {
		return err
	}
	soft, cancel := context.WithTimeout(ctx, j.soft)
	defer cancel()
	if j.client.Stop(soft) != nil {
		if err := j.client.StopAndCancel(ctx); err != nil {
			return fmt.Errorf("jobs do not end: %w", err)
		}
	}
	j.pool.Close()
	j.client, j.pool = nil, nil
	return nil
}

// backoff doubles the pause after each failure. A tenth of it is chance, so that
// what failed together does not come again together.
type backoff struct{ first, last time.Duration }

// NextRetry implements river.ClientRetryPolicy.
func (b backoff) NextRetry(job *rivertype.JobRow) time.Time {
	pause := min(b.first<<min(max(job.Attempt-1, 0), 16), b.last)
	return time.Now().Add(pause - rand.N(pause/10+1))
}
