// Package harness starts the built programs as a person would: a cloud, a site
// of nodes that joined through the real join path, a mail server and a carrier,
// each with a directory of its own and ports given by the kernel. Tests and
// trunkline-demo are made of it.
package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is one running program that prints a ready line (one JSON object) on
// standard output. Its log goes to a file and, if set, to Log.
type Process struct {
	Name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Program says how to start a program.
type Program struct {
	Name    string
	Path    string // of the binary
	Args    []string
	Env     []string
	LogFile string
	// Log also gets each line of the log; may be nil.
	Log func(line string)
}

// Start starts the program and waits for its ready line, decoded into ready.
func (c Program) Start(ctx context.Context, ready any) (*Process, error) {
	if err := os.MkdirAll(filepath.Dir(c.LogFile), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(c.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env = append(os.Environ(), c.Env...)
	// A group of its own: Ctrl-C reaches the harness, which stops in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	p := &Process{Name: c.Name, cmd: cmd, done: make(chan struct{})}
	lines := make(chan string, 1)
	var readers sync.WaitGroup
	readers.Go(func() { firstLine(stdout, lines) })
	readers.Go(func() { c.follow(stderr, file) })
	go func() {
		readers.Wait()
		p.err = cmd.Wait()
		_ = file.Close()
		close(p.done)
	}()
	select {
	case line := <-lines:
		if err := json.Unmarshal([]byte(line), ready); err != nil {
			p.Kill()
			return nil, fmt.Errorf("%s: ready line %q: %w", c.Name, line, err)
		}
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("%s ended before it was ready: %w\n%s", c.Name, p.err, tail(c.LogFile))
	case <-ctx.Done():
		p.Kill()
		return nil, fmt.Errorf("%s is not ready: %w\n%s", c.Name, ctx.Err(), tail(c.LogFile))
	}
}

// firstLine passes the ready line on and drains the rest.
func firstLine(r io.Reader, lines chan<- string) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for first := true; s.Scan(); first = false {
		if first {
			lines <- s.Text()
		}
	}
	_, _ = io.Copy(io.Discard, r)
}

func (c Program) follow(r io.Reader, file io.Writer) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		fmt.Fprintln(file, s.Text())
		if c.Log != nil {
			c.Log(s.Text())
		}
	}
	_, _ = io.Copy(file, r)
}

func tail(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// PID of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running tells whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Kill ends the process at once (SIGKILL) and waits for it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Signal sends a signal, e.g. SIGSTOP.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Stop asks the process to end (SIGTERM); after grace it is killed.
func (p *Process) Stop(grace time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		var exit *exec.ExitError
		if errors.As(p.err, &exit) && exit.ExitCode() > 0 {
			return fmt.Errorf("%s: %w", p.Name, p.err)
		}
		return nil
	case <-time.After(grace):
		p.Kill()
		return fmt.Errorf("%s did not stop within %s and was killed", p.Name, grace)
	}
}

// Run runs a program to its end with the given standard input and returns what
// it printed.
func Run(ctx context.Context, stdin, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), args[0], err, out.String(), errs.String())
	}
	return out.String(), nil
}
