// Package pgtest gives tests a real PostgreSQL: one server per test process,
// without durability, one migrated template, and a database of its own copied
// from it for each test.
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//	func TestX(t *testing.T)    { db := pgtest.New(t, schema.Migrate) ... }
package pgtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"trunkline/internal/pg"
)

// Database is one test's own. App logs in as the programs do, Super as the
// owner of everything, past all row-level security.
type Database struct {
	App, Super string // URLs
}

// Migrate brings the database at url to the current schema: cloud/schema's.
type Migrate func(ctx context.Context, url string) error

var shared struct {
	once   sync.Once
	err    error
	server *pg.Server
	dir    string
	count  atomic.Int64
	mu     sync.Mutex
}

// New gives a database with the schema, dropped when the test ends.
func New(t testing.TB, migrate Migrate) Database {
	t.Helper()
	shared.once.Do(func() { shared.err = start(migrate) })
	if shared.err != nil {
		t.Fatalf("PostgreSQL for tests: %v", shared.err)
	}
	name := fmt.Sprintf("t%d", shared.count.Add(1))
	if err := admin(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template_trunkline"); err != nil {
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
	t.Cleanup(func() {
		_ = admin(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	})
	return Database{App: shared.server.URL("trunkline", name), Super: shared.server.URL(pg.SuperUser, name)}
}

// Main runs the tests, ends the server and fails on goroutines left behind.
func Main(m *testing.M, opts ...goleak.Option) {
	code := m.Run()
	stop()
	if code == 0 {
		if err := goleak.Find(opts...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func start(migrate Migrate) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	sweep()
	dir, err := os.MkdirTemp("", fmt.Sprintf("trunkline-pgtest-%d-", os.Getpid()))
	if err != nil {
		return err
	}
	shared.dir, shared.server = dir, pg.NewServer(pg.Config{Dir: dir, Fast: true})
	if err := shared.server.Start(ctx); err != nil {
		return err
	}
	if err := admin(ctx, "CREATE DATABASE template_trunkline"); err != nil {
		return err
	}
	return migrate(ctx, shared.server.URL(pg.SuperUser, "template_trunkline"))
}

// admin runs one statement in the maintenance database. One at a time: copying
// a template refuses company.
func admin(ctx context.Context, sql string) error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	conn, err := pgx.Connect(ctx, shared.server.URL(pg.SuperUser, "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

func stop() {
	if shared.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = shared.server.Stop(ctx)
		_ = os.RemoveAll(shared.dir)
	}
}

// sweep removes what killed test processes left behind.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), "trunkline-pgtest-*"))
	for _, dir := range dirs {
		first, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), "trunkline-pgtest-"), "-")
		if pid, err := strconv.Atoi(first); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir)
		}
	}
}
