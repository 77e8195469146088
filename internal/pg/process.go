package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// command prepares one of PostgreSQL's programs so that it may run: as
// ourselves, or for root in a user namespace that calls root by another id.
func (s *Server) command(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	path, err := program(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = s.cfg.Dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PGOPTIONS=")
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT, Setpgid: true}
	if os.Getuid() == 0 {
		id := insideID()
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: id, HostID: 0, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: id, HostID: 0, Size: 1}}
	}
	cmd.SysProcAttr = attr
	return cmd, nil
}

// explain says what to do where root may not make a user namespace, as in many
// containers.
func explain(err error) error {
	if os.Getuid() == 0 && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL)) {
		return fmt.Errorf("%w: PostgreSQL does not run as root and this system lets root make no user namespace: "+
			"run as another user, allow user namespaces, or give a database URL", err)
	}
	return err
}

// insideID is the id root gets inside the namespace. initdb wants it to have a
// name in /etc/passwd.
func insideID() int {
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			if id, err := strconv.Atoi(u.Uid); err == nil && id != 0 {
				return id
			}
		}
	}
	return 1000
}

// program finds a PostgreSQL program: Debian keeps them out of the PATH, in one
// folder per version; the newest wins. initdb and postgres must be of one
// version, so the folder decides for both.
func program(name string) (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("PostgreSQL is not installed (%s not found): install it or give a database URL", name)
	}
	return path, nil
}

func version(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

// clearStale waits for a server a killed process of ours left behind: the kernel
// has told it to end. A pid that belongs to somebody else by now is ignored.
func (s *Server) clearStale(ctx context.Context) error {
	file := filepath.Join(s.data(), "postmaster.pid")
	deadline := time.Now().Add(15 * time.Second)
	for told := false; ; {
		b, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(string(b), "\n")
		pid, err := strconv.Atoi(strings.TrimSpace(first))
		if err != nil || !runsOn(pid, s.data()) {
			return os.Remove(file)
		}
		switch late := time.Now().After(deadline); {
		case late && told:
			return fmt.Errorf("another PostgreSQL (pid %d) uses %s", pid, s.data())
		case late:
			_ = syscall.Kill(pid, syscall.SIGQUIT)
			told, deadline = true, time.Now().Add(5*time.Second)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// runsOn says whether pid is a PostgreSQL server on the data directory.
func runsOn(pid int, data string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	args := strings.Split(string(b), "\x00")
	return strings.HasSuffix(args[0], "postgres") && slices.Contains(args, data)
}
