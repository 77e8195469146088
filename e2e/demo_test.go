package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"trunkline/e2e/harness"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// endpoints is .demo/endpoints.json, which scripts rely on: exactly these fields.
type endpoints struct {
	Web     string `json:"web"`
	Mailbox string `json:"mailbox"`
	SIP     []struct {
		Site string `json:"site"`
		Node string `json:"node"`
		UDP  string `json:"udp"`
		TCP  string `json:"tcp"`
	} `json:"sip"`
	Number string `json:"number"`
	Users  struct {
		Platform   demoLogin   `json:"platform"`
		Owner      demoLogin   `json:"owner"`
		Supervisor demoLogin   `json:"supervisor"`
		Agents     []demoLogin `json:"agents"`
	} `json:"users"`
	Nodes []struct {
		Site string `json:"site"`
		Name string `json:"name"`
		PID  int    `json:"pid"`
		URL  string `json:"url"`
	} `json:"nodes"`
	Postgres string `json:"postgres"`
}

type demoLogin struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

// TestDemo runs the demo as a person and their scripts do: what it tells is
// true, a killed node comes back, it ends without a trace and goes on where it was.
func TestDemo(t *testing.T) {
	ctx := testContext(t, patience)
	d := &demoRun{dir: t.TempDir()}
	t.Cleanup(func() { d.end(t) })
	d.start(t)
	first := d.endpoints(ctx, t)
	d.rolesSignIn(ctx, t, first)
	d.everyNodeTakesCalls(ctx, t, first)
	if out, err := d.command().CombinedOutput(); err == nil || !strings.Contains(string(out), "running already") {
		t.Errorf("a second demo in the same directory: %v\n%s", err, out)
	}
	d.nodeComesBack(ctx, t, first)

	d.signal(t, syscall.SIGINT)
	d.ended(ctx, t)
	d.start(t)
	second := d.endpoints(ctx, t)
	if second.Web != first.Web || second.Number != first.Number || fmt.Sprint(second.SIP) != fmt.Sprint(first.SIP) {
		t.Errorf("the second start is at other addresses: %+v, first %+v", second, first)
	}
	d.rolesSignIn(ctx, t, second)

	// Killed, it leaves its programs to the kernel; the next one waits for them.
	d.signal(t, syscall.SIGKILL)
	<-d.done
	d.start(t, "DEMO_RESTART=off")
	third := d.endpoints(ctx, t)
	d.everyNodeTakesCalls(ctx, t, third)
	d.nodeStaysAway(ctx, t, third)
	d.signal(t, syscall.SIGTERM)
	d.ended(ctx, t)
}

// TestDemoInterrupted stops a first start half-way; the next one begins anew.
func TestDemoInterrupted(t *testing.T) {
	ctx := testContext(t, patience)
	d := &demoRun{dir: t.TempDir()}
	t.Cleanup(func() { d.end(t) })
	d.start(t)
	eventually(ctx, t, "the cloud has begun", func() error {
		_, err := os.Stat(filepath.Join(d.dir, ".demo", "site.made"))
		return err
	})
	d.signal(t, syscall.SIGINT)
	d.ended(ctx, t)
	d.start(t)
	d.rolesSignIn(ctx, t, d.endpoints(ctx, t))
	d.signal(t, syscall.SIGINT)
	d.ended(ctx, t)
}

// demoRun is bin/trunkline-demo in a directory of its own.
type demoRun struct {
	dir  string
	cmd  *exec.Cmd
	out  *os.File
	done chan struct{}
	err  error // why it ended, once done
	last *endpoints
}

func (d *demoRun) command(env ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(root(), "bin", "trunkline-demo"))
	cmd.Dir = d.dir
	cmd.Env = append(append(os.Environ(), "DEMO_CARRIER=off"), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	return cmd
}

func (d *demoRun) start(t *testing.T, env ...string) {
	t.Helper()
	var err error
	if d.out, err = os.OpenFile(filepath.Join(d.dir, "out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		t.Fatal(err)
	}
	d.cmd = d.command(env...)
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.out
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	d.done = done
	go func() {
		d.err = d.cmd.Wait()
		_ = d.out.Close()
		close(done)
	}()
}

// said is what the demo has printed.
func (d *demoRun) said() string {
	b, err := os.ReadFile(filepath.Join(d.dir, "out"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (d *demoRun) running() bool {
	select {
	case <-d.done:
		return false
	default:
		return true
	}
}

func (d *demoRun) read() (*endpoints, error) {
	f, err := os.Open(filepath.Join(d.dir, ".demo", "endpoints.json"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var e endpoints
	from := json.NewDecoder(f)
	from.DisallowUnknownFields()
	return &e, from.Decode(&e)
}

// endpoints waits for the file and checks what stands in it.
func (d *demoRun) endpoints(ctx context.Context, t *testing.T) *endpoints {
	t.Helper()
	var e *endpoints
	eventually(ctx, t, "endpoints.json", func() (err error) {
		if !d.running() {
			t.Fatalf("the demo ended: %v\n%s", d.err, d.said())
		}
		e, err = d.read()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("endpoints.json is there and not whole: %v", err)
		}
		if err == nil && d.last != nil && slices.Equal(e.Nodes, d.last.Nodes) {
			err = errors.New("the killed one's, not yet removed")
		}
		return err
	})
	d.last = e
	if len(e.SIP) != 3 || len(e.Nodes) != 3 || len(e.Users.Agents) < 2 || !strings.HasPrefix(e.Number, "+") ||
		!strings.HasPrefix(e.Postgres, "postgres://") {
		t.Errorf("endpoints: %+v", e)
	}
	for _, s := range e.SIP {
		for _, addr := range []string{s.UDP, s.TCP} {
			if _, _, err := net.SplitHostPort(addr); err != nil || s.Site == "" || s.Node == "" {
				t.Errorf("sip %+v: %v", s, err)
			}
		}
	}
	for _, n := range e.Nodes {
		if syscall.Kill(n.PID, 0) != nil || n.Site == "" || n.Name == "" {
			t.Errorf("node %+v", n)
		}
	}
	pages := []string{e.Web, e.Mailbox}
	for _, n := range e.Nodes {
		pages = append(pages, n.URL)
	}
	for _, url := range pages {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %s %s", url, res.Status, res.Header.Get("Content-Type"))
		}
	}
	return e
}

func (d *demoRun) rolesSignIn(ctx context.Context, t *testing.T, e *endpoints) {
	t.Helper()
	c := &harness.Cluster{Web: e.Web}
	logins := append([]demoLogin{e.Users.Platform, e.Users.Owner, e.Users.Supervisor}, e.Users.Agents...)
	for _, who := range logins {
		if who.Password != harness.Password {
			t.Errorf("password %q", who.Password)
		}
		if _, err := c.SignIn(ctx, who.Email); err != nil {
			t.Error(err)
		}
	}
}

// everyNodeTakesCalls dials the number from this machine, at each node, over
// UDP and TCP, with SIPp's own caller; the demo's tenant finds the calls.
func (d *demoRun) everyNodeTakesCalls(ctx context.Context, t *testing.T, e *endpoints) {
	t.Helper()
	owner, err := (&harness.Cluster{Web: e.Web}).SignIn(ctx, e.Users.Owner.Email)
	if err != nil {
		t.Fatal(err)
	}
	count := func() (int, error) {
		list, err := owner.Calls().ListCalls(ctx, &cloudv1.ListCallsRequest{PageSize: 100})
		return len(list.GetCalls()), err
	}
	before, err := count()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range e.SIP {
		for transport, addr := range map[string]string{"u1": s.UDP, "t1": s.TCP} {
			cmd := exec.CommandContext(ctx, "sipp", addr, "-sn", "uac", "-s", e.Number, "-i", "127.0.0.1", "-t", transport,
				"-m", "1", "-d", "200", "-nostdin", "-timeout", "20s", "-timeout_error")
			cmd.Dir, cmd.Env = d.dir, append(os.Environ(), "TERM=dumb")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("SIPp, %s at %s: %v\n%s", transport, s.Node, err, out[max(0, len(out)-2000):])
			}
		}
	}
	eventually(ctx, t, "the records of the calls", func() error {
		n, err := count()
		if err == nil && n != before+2*len(e.SIP) {
			err = fmt.Errorf("%d records, before the calls %d", n, before)
		}
		return err
	})
}

// nodeComesBack kills a node: it starts again after ten seconds and the file says so.
func (d *demoRun) nodeComesBack(ctx context.Context, t *testing.T, e *endpoints) {
	t.Helper()
	victim := e.Nodes[1]
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	eventually(ctx, t, "the file names the new process", func() error {
		now, err := d.read()
		if err == nil && now.Nodes[1].PID == victim.PID {
			err = errors.New("still the old one")
		}
		return err
	})
	if away := time.Since(killed); away < 10*time.Second {
		t.Errorf("the node was away for %s only", away)
	}
	d.endpoints(ctx, t)
}

// nodeStaysAway kills a node that is not to come back: the demo says so and goes on.
func (d *demoRun) nodeStaysAway(ctx context.Context, t *testing.T, e *endpoints) {
	t.Helper()
	if err := syscall.Kill(e.Nodes[2].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the demo says that the node stays away", func() error {
		if !strings.Contains(d.said(), e.Nodes[2].Name+" is gone and stays away") {
			return errors.New("not yet")
		}
		return nil
	})
	if !d.running() {
		t.Fatalf("the demo ended with its node:\n%s", d.said())
	}
}

func (d *demoRun) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// ended waits for the demo's end and looks for what it left behind.
func (d *demoRun) ended(ctx context.Context, t *testing.T) {
	t.Helper()
	select {
	case <-d.done:
	case <-ctx.Done():
		t.Fatalf("the demo does not stop\n%s", d.said())
	}
	if d.err != nil {
		t.Errorf("the demo ended with %v\n%s", d.err, d.said())
	}
	if pids := harness.ProgramsOn(filepath.Join(d.dir, ".demo")); len(pids) > 0 {
		t.Errorf("processes %v go on after the demo's end", pids)
	}
	if _, err := d.read(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("endpoints.json after the end: %v", err)
	}
}

// end leaves nothing, whatever happened to the test.
func (d *demoRun) end(t *testing.T) {
	if d.cmd == nil || !d.running() {
		return
	}
	_ = d.cmd.Process.Kill()
	<-d.done
	for _, pid := range harness.ProgramsOn(filepath.Join(d.dir, ".demo")) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	t.Logf("the demo said:\n%s", d.said())
}
