// Package jobs is what the cloud does later, again or now and then: a mail to
// send, a tenant to erase, what has expired to remove. It runs on River
// (riverqueue.com), whose tables stand in the schema "river".
//
// A job is inserted in the transaction that causes it, so it is done if and only
// if that commits. It is done at least once: of a replica that dies in the middle
// another takes it over, when the attempt's time is up. So a job either does all
// in one transaction that also completes it, or what it does twice does no harm.
// One that fails is tried again after 10 s, 20 s, 40 s and so on, at last each half
// hour, for about four days; then it is given up, which stands in the log with a
// reference and in trunkline_job_attempts_total.
//
//	jobs.Add(j, jobs.Worker[Mail]{Work: m.send})              // before Start, in cloud/server/jobs.go
//	j.Every(time.Minute, "sweep", time.Minute, s.sweep)       // by one replica at a time
//	err := jobs.Insert(ctx, tx, Mail{...}, jobs.For(tenant))  // in a Platform transaction
//
// Every replica must know every kind: the leading one ends a job of a kind it does
// not know when the replica that did it has died. So a kind is registered in one
// place, always, and the release after the one that inserted it last removes it.
package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"trunkline/tenants/tenantdb"
)

const (
	// riverSchema is where River's tables are.
	riverSchema = "river"
	// tenantsQueue is apart, so that long work for tenants holds up no round.
	tenantsQueue = "tenants"
	// attempts are made until a job is given up: with the pauses of backoff about
	// four days, as long as RFC 5321 (section 4.5.4.1) has a mail tried.
	attempts = 200
)

// Args are what a job is told, as JSON; Kind names the job for ever.
type Args = river.JobArgs

// Job is one that is being done.
type Job[T Args] = river.Job[T]

// Worker does the jobs of T.
type Worker[T Args] struct {
	// Work does it. An error has it tried again later, that of GiveUp never.
	Work func(ctx context.Context, job *Job[T]) error
	// Limit bounds one attempt; 0 is a minute. It is also how long a job waits
	// whose replica has died.
	Limit time.Duration
}

// Add gives the jobs of T their worker. Before Start.
func Add[T Args](j *Jobs, w Worker[T]) { river.AddWorker(j.workers, worker[T]{Worker: w}) }

type worker[T Args] struct {
	river.WorkerDefaults[T]
	Worker[T]
}

// Timeout implements river.Worker.
func (w worker[T]) Timeout(*Job[T]) time.Duration { return w.Limit }

// Work implements river.Worker.
func (w worker[T]) Work(ctx context.Context, job *Job[T]) error { return w.Worker.Work(ctx, job) }

// GiveUp has a job end here: trying again would not help.
func GiveUp(err error) error { return river.JobCancel(err) }

// Every has work done at the start and then each d, by one replica at a time and
// not while the last round still runs. A round that fails is not tried again: the
// next comes anyway. kind names it for ever, limit bounds one round. Before Start.
func (j *Jobs) Every(d time.Duration, kind string, limit time.Duration, work func(ctx context.Context) error) {
	args := round{kind}
	river.AddWorkerArgs(j.workers, args, worker[round]{Worker: Worker[round]{
		Work: func(ctx context.Context, _ *Job[round]) error { return work(ctx) }, Limit: limit,
	}})
	next := func() (river.JobArgs, *river.InsertOpts) {
		return args, &river.InsertOpts{MaxAttempts: 1, UniqueOpts: unfinished}
	}
	j.periodic = append(j.periodic, river.NewPeriodicJob(river.PeriodicInterval(d), next, &river.PeriodicJobOpts{RunOnStart: true}))
}

// round is a job that says nothing but its name.
type round struct{ kind string }

// Kind implements Args.
func (r round) Kind() string { return r.kind }

// unfinished is: not while the same is still to be done.
var unfinished = river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
}}

// Option says more of a job that is inserted.
type Option func(*river.InsertOpts)

// In puts it into a queue that Queue opens.
func In(queue string) Option { return func(o *river.InsertOpts) { o.Queue = queue } }

// For names the tenant on whose account it is done. Such a job stands behind those
// that are nobody's in its queue, is logged with its tenant and goes with it. The
// queue is that of tenants unless In says another.
func For(tenant int64) Option {
	return func(o *river.InsertOpts) {
		o.Queue, o.Priority = cmp.Or(o.Queue, tenantsQueue), 2
		o.Metadata = []byte(ofTenant(tenant))
	}
}

func ofTenant(tenant int64) string { return `{"tenant":` + strconv.FormatInt(tenant, 10) + `}` }

// Once inserts nothing while a job with equal arguments is still to be done.
func Once() Option { return func(o *river.InsertOpts) { o.UniqueOpts = unfinished } }

// inserter has no workers and no connections. Each insertion tells the replicas,
// also when one has just done so.
var inserter = sync.OnceValues(func() (*river.Client[pgx.Tx], error) {
	return river.NewClient(riverpgxv5.New(nil), &river.Config{Schema: riverSchema, FetchCooldown: time.Millisecond})
})

// Insert has the job done once the transaction, a Platform one, has committed.
func Insert(ctx context.Context, tx pgx.Tx, args Args, options ...Option) error {
	client, err := inserter()
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	opts := &river.InsertOpts{MaxAttempts: attempts}
	for _, o := range options {
		o(opts)
	}
	if _, err := client.InsertTx(ctx, tx, args, opts); err != nil {
		return fmt.Errorf("job %s: %w", args.Kind(), err)
	}
	return nil
}

// InsertDue inserts a job for each tenant a query finds, whose job before is done.
func InsertDue(ctx context.Context, tx pgx.Tx, job func(tenant int64) Args, query string, args ...any) error {
	due, err := tenantdb.TxMany[int64](ctx, tx, query, args...)
	for _, tenant := range due {
		if err == nil {
			err = Insert(ctx, tx, job(tenant), For(tenant), Once())
		}
	}
	return err
}

// Complete completes the job that is being done, in a Platform transaction of its
// worker, and keeps other arguments in place of its own: what must not stay, such
// as the link in a mail, goes.
func Complete[T Args](ctx context.Context, tx pgx.Tx, job *Job[T], keep T) error {
	args, err := json.Marshal(keep)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE "+riverSchema+".river_job SET args = $2 WHERE id = $1", job.ID, args); err != nil {
		return err
	}
	_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
	return err
}

// Forget removes the jobs of a tenant that is erased, in a Platform transaction.
// One that runs ends by itself.
func Forget(ctx context.Context, tx pgx.Tx, tenant int64) error {
	_, err := tx.Exec(ctx, "DELETE FROM "+riverSchema+".river_job WHERE metadata @> $1::jsonb AND state <> 'running'", ofTenant(tenant))
	return err
}
