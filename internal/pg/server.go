package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Config of a private server.
type Config struct {
	Dir string // holds data/, sock/ and log; made if missing
	// Fast gives up durability: for tests only.
	Fast bool
	Log  *slog.Logger // nil = slog.Default()
}

// Server is a private PostgreSQL. It is a life.Service.
type Server struct {
	cfg  Config
	mu   sync.Mutex
	lock *os.File // held while we run, so that what runs on the data without it is stale
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// NewServer prepares a server; Start runs it.
func NewServer(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if abs, err := filepath.Abs(cfg.Dir); err == nil {
		cfg.Dir = abs
	}
	return &Server{cfg: cfg}
}

// SuperUser is the role that owns the cluster; only migrations log in as it.
const SuperUser = "postgres"

func (s *Server) data() string { return filepath.Join(s.cfg.Dir, "data") }

// sock is short on purpose: a unix socket's path holds 107 bytes.
func (s *Server) sock() string { return filepath.Join(s.cfg.Dir, "sock") }

// URL gives the address of a database for a role, as pgx takes it. The server
// trusts whoever can enter the socket's directory.
func (s *Server) URL(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database}
	u.RawQuery = url.Values{"host": {s.sock()}, "sslmode": {"disable"}}.Encode()
	return u.String()
}

// Start makes the cluster if there is none, starts the server and returns when
// it answers. It makes no database besides "postgres".
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock != nil {
		return errors.New("the private PostgreSQL runs already")
	}
	if n := len(s.sock() + "/.s.PGSQL.5432"); n > 107 {
		return fmt.Errorf("the path of the database socket has %d bytes, more than 107: choose a shorter data directory than %s", n, s.cfg.Dir)
	}
	for _, dir := range []string{s.cfg.Dir, s.data(), s.sock()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := s.takeLock(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{s.clearStale, s.initdb, s.launch, s.awaitReady} {
		if err := step(ctx); err != nil {
			return errors.Join(err, s.stopLocked(context.WithoutCancel(ctx)))
		}
	}
	return nil
}

// lockWait is how long a program that was killed may take to be gone.
const lockWait = 3 * time.Second

// takeLock makes us the only program that uses the directory. The kernel gives
// the lock back when we die.
func (s *Server) takeLock(ctx context.Context) error {
	f, err := os.OpenFile(filepath.Join(s.cfg.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(lockWait); ; {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			s.lock = f
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			f.Close()
			return fmt.Errorf("another program runs the private PostgreSQL in %s: %w", s.cfg.Dir, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *Server) initdb(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(s.data(), "PG_VERSION")); err == nil {
		return nil
	}
	args := []string{"-D", s.data(), "-U", SuperUser, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"}
	if s.cfg.Fast {
		args = append(args, "--no-sync")
	}
	cmd, err := s.command(ctx, "initdb", args...)
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", explain(err), tail(string(out), 2000))
	}
	return nil
}

// settings are given on the command line so that an upgrade of ours changes them
// in old data directories too.
func (s *Server) settings() []string {
	set := map[string]string{
		"listen_addresses": "", "unix_socket_directories": s.sock(), "unix_socket_permissions": "0700",
		"max_connections": "100", "shared_buffers": "64MB", "timezone": "UTC", "log_timezone": "UTC",
		"log_min_messages": "warning", "jit": "off", "idle_in_transaction_session_timeout": "60s",
	}
	if s.cfg.Fast {
		for _, k := range []string{"fsync", "synchronous_commit", "full_page_writes", "autovacuum"} {
			set[k] = "off"
		}
		set["wal_level"], set["max_wal_senders"], set["max_wal_size"] = "minimal", "0", "512MB"
	}
	var args []string
	for k, v := range set {
		args = append(args, "-c", k+"="+v)
	}
	return args
}

// launch starts the process from a goroutine that keeps its thread: the kernel
// sends Pdeathsig when the thread that started the child ends, not the process.
func (s *Server) launch(context.Context) error {
	logFile, err := os.OpenFile(filepath.Join(s.cfg.Dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	started := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		defer logFile.Close()
		cmd, err := s.command(context.Background(), "postgres", append([]string{"-D", s.data()}, s.settings()...)...)
		if err == nil {
			cmd.Stdout, cmd.Stderr = logFile, logFile
			err = cmd.Start()
		}
		s.cmd = cmd // read by Start after started
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its own log
		}
	}()
	s.done = done
	if err := <-started; err != nil {
		<-done
		s.cmd = nil
		return fmt.Errorf("start postgres: %w", explain(err))
	}
	return nil
}

// awaitReady polls, because PostgreSQL tells nobody when it is ready.
func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL(SuperUser, "postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.done:
			return fmt.Errorf("the private PostgreSQL ended while starting:\n%s", s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("the private PostgreSQL does not answer: %w\n%s", err, s.logTail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Done is closed when the server has ended, by Stop or by itself; nil before
// Start.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stop ends the server: connections are cut, what was committed is kept.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopLocked(ctx)
}

func (s *Server) stopLocked(ctx context.Context) error {
	if s.lock != nil {
		defer func() { _ = s.lock.Close(); s.lock = nil }()
	}
	if s.cmd == nil {
		return nil
	}
	if s.cfg.Fast {
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // nothing is worth a checkpoint
	}
	_ = s.cmd.Process.Signal(syscall.SIGINT) // "fast shutdown"
	select {
	case <-s.done:
	case <-ctx.Done():
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // the next start recovers
		<-s.done
	}
	s.cmd = nil
	return nil
}

func (s *Server) logTail() string {
	f, err := os.Open(filepath.Join(s.cfg.Dir, "log"))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(f)
	return tail(string(b), 2000)
}

func tail(s string, n int) string {
	if len(s) > n {
		s = s[len(s)-n:]
	}
	return strings.TrimSpace(s)
}

// CreateDatabase makes a database unless it is there already.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.URL(SuperUser, "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil || there {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return err
}
