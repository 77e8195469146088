package pg_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"trunkline/internal/pg"
)

// childDir, when set, makes this test program a server that waits to be killed.
const childDir = "PG_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func child(dir string) {
	s := pg.NewServer(pg.Config{Dir: dir, Fast: true})
	if err := s.Start(context.Background()); err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString("ready\n")
	select {}
}

func exe(t *testing.T, s *pg.Server, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL(pg.SuperUser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestAServerKeepsItsDataAndLetsNobodyElseIn(t *testing.T) {
	s := pg.NewServer(pg.Config{Dir: t.TempDir()})
	for i := range 2 {
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			exe(t, s, "CREATE TABLE kept (n int)")
			if err := s.CreateDatabase(t.Context(), "other"); err != nil {
				t.Fatal(err)
			}
			if err := s.CreateDatabase(t.Context(), "other"); err != nil {
				t.Fatal("the second time:", err)
			}
			if err := s.Start(t.Context()); err == nil {
				t.Error("started twice")
			}
		}
		exe(t, s, "INSERT INTO kept VALUES (1)")
		for range 2 {
			if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	select {
	case <-s.Done():
	default:
		t.Error("stopped and not done")
	}
}

func TestSockAndDataAreOurs(t *testing.T) {
	dir := t.TempDir()
	s := pg.NewServer(pg.Config{Dir: dir, Fast: true})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Stop(context.Background())
	for _, name := range []string{"sock", "data"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o700 || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	exe(t, s, `DO $$ BEGIN
		ASSERT current_setting('listen_addresses') = '';
		ASSERT (SELECT datcollate = 'C.UTF-8' FROM pg_database WHERE datname = 'postgres');
	END $$`)
	second := pg.NewServer(pg.Config{Dir: dir, Fast: true})
	if err := second.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("a second server on the directory: %v", err)
	}
}

// A program that is killed takes its server with it, and its successor finds
// the data.
func TestAKilledProgramLeavesNothingRunning(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, 6)
	if _, err := out.Read(ready); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()

	s := pg.NewServer(pg.Config{Dir: dir, Fast: true})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestAPathTooLongIsSaidSo(t *testing.T) {
	s := pg.NewServer(pg.Config{Dir: filepath.Join(t.TempDir(), strings.Repeat("x", 100))})
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "shorter data directory") {
		t.Fatal(err)
	}
}

func TestListener(t *testing.T) {
	s := pg.NewServer(pg.Config{Dir: t.TempDir(), Fast: true})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Stop(context.Background())
	l := pg.NewListener(s.URL(pg.SuperUser, "postgres"), "news", "other")
	got, cancel := l.Subscribe("news")
	defer cancel()
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer l.Stop(context.Background())
	next := func() pg.Notification {
		t.Helper()
		select {
		case n := <-got:
			return n
		case <-time.After(10 * time.Second):
			t.Fatal("nothing came")
			panic("unreachable")
		}
	}
	if n := next(); !n.Lost {
		t.Fatalf("%+v: a new connection says that it missed what was before", n)
	}
	exe(t, s, "NOTIFY other, 'x'; NOTIFY news, 'first'")
	if n := next(); n.Payload != "first" || n.Channel != "news" {
		t.Fatalf("%+v", n)
	}
	exe(t, s, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
	if n := next(); !n.Lost {
		t.Fatalf("%+v: the connection broke", n)
	}
	exe(t, s, "NOTIFY news, 'again'")
	if n := next(); n.Payload != "again" {
		t.Fatalf("%+v", n)
	}
	// A reader that sleeps gets Lost, and blocks nobody.
	for range 100 {
		exe(t, s, "NOTIFY news, 'many'")
	}
	exe(t, s, "NOTIFY news, 'last'")
	lost := false
	for n := next(); n.Payload != "last"; n = next() {
		if lost = lost || n.Lost; lost && len(got) == 0 {
			break
		}
	}
}
