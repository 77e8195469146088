package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"trunkline/cloud/schema"
	"trunkline/internal/pg/pgtest"
	"trunkline/tenants/tenantdb"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(victimURL); url != "" {
		victim(url)
	}
	pgtest.Main(m)
}

// note is the tests' job.
type note struct {
	Text string `json:"text"`
}

func (note) Kind() string { return "note" }

// bench is a database and what a test needs of it.
type bench struct {
	t   *testing.T
	pg  pgtest.Database
	db  *tenantdb.DB
	log *lines
}

func open(t *testing.T) *bench {
	t.Helper()
	url := pgtest.New(t, schema.Migrate)
	db, err := tenantdb.Open(t.Context(), url.App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return &bench{t, url, db, &lines{}}
}

// runner is a replica that retries at once and starts its chores without delay.
func (b *bench) runner(work func(ctx context.Context, job *Job[note]) error) *Jobs {
	j := New(b.pg.App, slog.New(slog.NewTextHandler(b.log, nil)))
	j.adjust, j.soft = eager, 100*time.Millisecond
	if work != nil {
		Add(j, Worker[note]{Work: work})
	}
	return j
}

func eager(cfg *river.Config) {
	cfg.RetryPolicy = backoff{first: time.Millisecond, last: time.Millisecond}
	cfg.FetchPollInterval = 100 * time.Millisecond
	cfg.TestOnly = true
}

func (b *bench) start(j *Jobs) *Jobs {
	b.t.Helper()
	if err := j.Start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { b.stop(j) })
	return j
}

func (b *bench) stop(j *Jobs) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := j.Stop(ctx); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) platform(fn func(ctx context.Context, tx pgx.Tx) error) {
	b.t.Helper()
	if err := b.db.Platform(b.t.Context(), "test", fn); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) insert(text string, options ...Option) {
	b.t.Helper()
	b.platform(func(ctx context.Context, tx pgx.Tx) error { return Insert(ctx, tx, note{text}, options...) })
}

// until waits until an expression has these values for the jobs, oldest first.
func (b *bench) until(expr string, want ...string) {
	b.t.Helper()
	b.pg.Await(b.t, "SELECT "+expr+"::text FROM river.river_job ORDER BY id", want...)
}

// lines is a log that can be read.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func TestDoneIfAndOnlyIfTheTransactionCommits(t *testing.T) {
	b := open(t)
	got := make(chan string, 10)
	b.start(b.runner(func(_ context.Context, job *Job[note]) error { got <- job.Args.Text; return nil }))
	boom := errors.New("boom")
	err := b.db.Platform(t.Context(), "test", func(ctx context.Context, tx pgx.Tx) error {
		return errors.Join(Insert(ctx, tx, note{"undone"}), boom)
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	b.insert("done")
	if text := <-got; text != "done" {
		t.Errorf("did %q", text)
	}
	b.until("state", "completed")
}

func TestAFailureIsTriedAgainAndAtLastGivenUp(t *testing.T) {
	b := open(t)
	before := testutil.ToFloat64(attemptsTotal.WithLabelValues("note", "given_up"))
	var tries atomic.Int64
	b.start(b.runner(func(context.Context, *Job[note]) error { tries.Add(1); return errors.New("no such luck") }))
	b.insert("of a tenant", For(7), func(o *river.InsertOpts) { o.MaxAttempts = 3 })
	b.until("state", "discarded")
	if n := tries.Load(); n != 3 {
		t.Errorf("tried %d times", n)
	}
	if n := testutil.ToFloat64(attemptsTotal.WithLabelValues("note", "given_up")); n != before+1 {
		t.Errorf("counted %g", n-before)
	}
	log := b.log.String()
	if strings.Count(log, `msg="job failed"`) != 2 || strings.Count(log, `msg="job given up"`) != 1 ||
		!strings.Contains(log, "reference=") || !strings.Contains(log, "tenant=7") || strings.Contains(log, "of a tenant") {
		t.Error(log)
	}
}

func TestWhatCannotBeHelpedIsGivenUpAtOnce(t *testing.T) {
	b := open(t)
	var tries atomic.Int64
	b.start(b.runner(func(context.Context, *Job[note]) error { tries.Add(1); return GiveUp(errors.New("gone")) }))
	b.insert("x")
	b.until("state", "cancelled")
	if n := tries.Load(); n != 1 || !strings.Contains(b.log.String(), `msg="job given up"`) {
		t.Errorf("%d, %s", n, b.log)
	}
}

// A panic is a failure like any other, and the replica goes on.
func TestAPanicEndsOneAttempt(t *testing.T) {
	b := open(t)
	b.start(b.runner(func(_ context.Context, job *Job[note]) error {
		if job.Attempt == 1 {
			panic("boom")
		}
		return nil
	}))
	b.insert("x")
	b.until("state", "completed")
	if !strings.Contains(b.log.String(), `msg="job panicked"`) {
		t.Error(b.log)
	}
}

func TestTwoReplicasDoEachJobOnce(t *testing.T) {
	const n = 100
	b := open(t)
	var mu sync.Mutex
	done := map[string]int{}
	work := func(_ context.Context, job *Job[note]) error {
		mu.Lock()
		defer mu.Unlock()
		done[job.Args.Text]++
		return nil
	}
	b.start(b.runner(work))
	b.start(b.runner(work))
	for i := range n {
		b.insert(fmt.Sprint(i))
	}
	want := make([]string, n)
	for i := range want {
		want[i] = "completed"
	}
	b.until("state", want...)
	for text, times := range done {
		if times != 1 {
			t.Errorf("%s was done %d times", text, times)
		}
	}
}

func TestOnceIsNotTwice(t *testing.T) {
	b := open(t)
	for range 3 {
		b.insert("same", Once())
	}
	b.insert("other", Once())
	b.until("(args->>'text')", "same", "other")
	b.start(b.runner(func(context.Context, *Job[note]) error { return nil }))
	b.until("state", "completed", "completed")
	b.insert("same", Once()) // the first is done
	b.until("state", "completed", "completed", "completed")
}

func TestARoundIsDoneByOneReplica(t *testing.T) {
	b := open(t)
	began, end := make(chan struct{}, 10), make(chan struct{})
	for range 2 {
		j := b.runner(nil)
		j.Every(time.Second, "round", time.Minute, func(ctx context.Context) error {
			began <- struct{}{}
			select {
			case <-end:
			case <-ctx.Done():
			}
			return ctx.Err()
		})
		b.start(j)
	}
	<-began
	b.insert("a sign that time passes") // of a kind nobody here knows: it waits
	b.until("concat(kind, state)", "roundrunning", "noteavailable")
	if len(began) > 0 {
		t.Error("a second round began beside the first")
	}
	close(end)
	<-began // the next one comes by itself
}

// A job that ignores the stop for a while is cancelled then, and is as if it had
// not been tried.
func TestStopEndsRunningJobs(t *testing.T) {
	b := open(t)
	began, cancelled := make(chan struct{}), make(chan struct{})
	j := b.start(b.runner(func(ctx context.Context, _ *Job[note]) error {
		close(began)
		<-ctx.Done()
		close(cancelled)
		return ctx.Err()
	}))
	b.insert("long")
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 2 { // stopping twice is no error
		if err := j.Stop(ctx); err != nil {
			t.Fatal(err)
		}
	}
	<-cancelled
	b.until("concat(state, attempt)", "available0")
	again := make(chan struct{})
	b.start(b.runner(func(context.Context, *Job[note]) error { close(again); return nil }))
	<-again
}

// A job that does not end even then keeps Stop no longer than it was given.
func TestStopDoesNotWaitForever(t *testing.T) {
	b := open(t)
	began, end := make(chan struct{}), make(chan struct{})
	j := b.start(b.runner(func(context.Context, *Job[note]) error { close(began); <-end; return nil }))
	b.insert("deaf")
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(end)
	b.stop(j)
}

func TestWhatNoReplicaOpensWaits(t *testing.T) {
	b := open(t)
	b.insert("waits", In("special"))
	b.insert("is done")
	b.start(b.runner(func(context.Context, *Job[note]) error { return nil }))
	b.until("concat(args->>'text', state)", "waitsavailable", "is donecompleted")
	j := b.runner(func(context.Context, *Job[note]) error { return nil })
	j.Queue("special", 1)
	b.start(j)
	b.until("state", "completed", "completed")
}

func TestWhatHasNoTenantComesFirst(t *testing.T) {
	b := open(t)
	for i := range 3 {
		b.insert(fmt.Sprint("tenant's ", i), In("special"), For(3))
	}
	b.insert("nobody's", In("special"))
	got := make(chan string, 10)
	j := b.runner(func(_ context.Context, job *Job[note]) error { got <- job.Args.Text; return nil })
	j.Queue("special", 1)
	b.start(j)
	if first := <-got; first != "nobody's" {
		t.Errorf("%q came first", first)
	}
	b.until("state", "completed", "completed", "completed", "completed")
}

func TestCompleteKeepsNoSecret(t *testing.T) {
	b := open(t)
	b.start(b.runner(func(ctx context.Context, job *Job[note]) error {
		return b.db.Platform(ctx, "test", func(ctx context.Context, tx pgx.Tx) error {
			return Complete(ctx, tx, job, note{})
		})
	}))
	b.insert("secret")
	b.until("concat(state, args->>'text')", "completed")
}

func TestAnErasedTenantLeavesNoJobs(t *testing.T) {
	b := open(t)
	b.insert("a", For(3))
	b.insert("b", For(33))
	b.insert("c")
	b.platform(func(ctx context.Context, tx pgx.Tx) error { return Forget(ctx, tx, 3) })
	b.until("(args->>'text')", "b", "c")
}

func TestBackoffIsBounded(t *testing.T) {
	p := backoff{first: 10 * time.Second, last: 30 * time.Minute}
	job := Job[note]{JobRow: &rivertype.JobRow{}}
	var total time.Duration
	for job.Attempt = 1; job.Attempt < attempts; job.Attempt++ {
		pause := time.Until(p.NextRetry(job.JobRow))
		if pause < 8*time.Second || pause > p.last {
			t.Fatalf("after attempt %d: %v", job.Attempt, pause)
		}
		total += pause
	}
	if total < 84*time.Hour || total > 100*time.Hour {
		t.Errorf("given up after %v", total)
	}
}

// The job's role is no way round the tenants' door.
func TestTheRunnersConnectionsReachNothingElse(t *testing.T) {
	b := open(t)
	pool, err := tenantdb.OpenJobs(t.Context(), b.pg.App)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, sql := range []string{"SELECT 1 FROM tenants", "SELECT 1 FROM accounts", "DELETE FROM audit", "CREATE TABLE river.mine (x int)"} {
		if _, err := pool.Exec(t.Context(), sql); err == nil {
			t.Error(sql)
		}
	}
}

const victimURL = "TRUNKLINE_JOBS_VICTIM"

// victim is a replica in a process of its own that begins a job, says so and never
// ends it.
func victim(url string) {
	j := New(url, slog.New(slog.DiscardHandler))
	j.adjust = func(cfg *river.Config) { cfg.LeaderElectionDisabled = true } // its lease would outlive it by 15 s
	Add(j, Worker[note]{Work: func(context.Context, *Job[note]) error {
		fmt.Println("working")
		select {}
	}})
	if err := j.Start(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	select {}
}

func TestAJobOutlivesItsKilledWorker(t *testing.T) {
	b := open(t)
	b.insert("half done")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimURL+"="+b.pg.App)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, len("working"))
	if _, err := out.Read(said); err != nil || string(said) != "working" {
		t.Errorf("%q, %v", said, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	b.until("concat(state, attempt)", "running1")
	// A minute and a bit passes.
	b.platform(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE river.river_job SET attempted_at = attempted_at - $1::interval", rescueAfter)
		return err
	})
	got := make(chan string, 10)
	b.start(b.runner(func(_ context.Context, job *Job[note]) error { got <- job.Args.Text; return nil }))
	if text := <-got; text != "half done" {
		t.Error(text)
	}
	b.until("concat(state, attempt)", "completed2")
}
