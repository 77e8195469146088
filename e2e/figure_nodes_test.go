package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"trunkline/e2e/harness"
)

// figureDisk prints the slowest node's fsync: what a commit's figure rests on.
func figureDisk(ctx context.Context, t *testing.T, c *harness.Cluster) {
	t.Helper()
	var worst time.Duration
	for _, n := range c.Nodes {
		s, err := statusOf(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		worst = max(worst, time.Duration(s.Replica.WriteP99)*time.Microsecond)
	}
	t.Logf("FIGURE fsync_p99_ms %.1f ms", float64(worst.Microseconds())/1000)
}

func metricsOf(ctx context.Context, t *testing.T, n *harness.Node) map[string]float64 {
	t.Helper()
	return metricsAt(ctx, t, n.Ready.Metrics)
}

// metricsAt sums a program's metrics over their labels, by name, and gives each
// by name and labels too.
func metricsAt(ctx context.Context, t *testing.T, url string) map[string]float64 {
	t.Helper()
	sums := map[string]float64{}
	lines := bufio.NewScanner(strings.NewReader(string(get(ctx, t, url+"/metrics"))))
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		name, _, labels := strings.Cut(name, "{")
		if labels {
			value = lines.Text()[strings.LastIndex(lines.Text(), " ")+1:]
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		sums[name] += v
		if labels {
			sums[lines.Text()[:strings.LastIndex(lines.Text(), " ")]] = v
		}
	}
	return sums
}

func get(ctx context.Context, t *testing.T, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, res.Status, err)
	}
	return b
}

// used is what a cluster's nodes have used since they began, or between two looks.
type used struct {
	at       time.Time
	took     time.Duration
	cpu      []time.Duration // by node
	commands float64         // applied to the site's state
	entries  float64         // of the log, each with a batch of commands
	byType   map[string]float64
}

func usedBy(ctx context.Context, t *testing.T, c *harness.Cluster) used {
	t.Helper()
	u := used{at: time.Now()}
	for _, n := range c.Nodes {
		u.cpu = append(u.cpu, cpuOf(t, c.Process(n).PID()))
	}
	m := metricsOf(ctx, t, c.Nodes[0]) // every node applies all
	u.commands, u.entries = m["trunkline_replica_commands_total"], m["trunkline_replica_entries_total"]
	u.byType = map[string]float64{}
	for name, n := range m {
		if typ, ok := strings.CutPrefix(name, `trunkline_replica_commands_total{command="`); ok {
			u.byType[strings.TrimSuffix(typ, `"}`)] = n
		}
	}
	if u.commands == 0 || u.entries == 0 {
		t.Fatal("the node counts no commands")
	}
	return u
}

func (u used) since(before used) used {
	d := used{took: u.at.Sub(before.at), commands: u.commands - before.commands, entries: u.entries - before.entries}
	d.byType = map[string]float64{}
	for typ, n := range u.byType {
		d.byType[typ] = n - before.byType[typ]
	}
	for i := range u.cpu {
		d.cpu = append(d.cpu, u.cpu[i]-before.cpu[i])
	}
	return d
}

// cpuOf is the processor time of a process, kernel included, in steps of 10 ms.
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	var ticks int
	for _, f := range fields[11:13] { // utime, stime; see proc_pid_stat(5)
		v, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ticks += v
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// memory of a node in bytes: what is alive after a garbage collection, the
// stacks of its goroutines, and what the kernel has given it. The kernel's own
// socket buffers are in none of them.
type memory struct{ live, stacks, rss float64 }

func memoryOf(ctx context.Context, t *testing.T, n *harness.Node) memory {
	t.Helper()
	for range 2 { // the second frees what the first one's finalizers let go
		get(ctx, t, n.Ready.Metrics+"/debug/pprof/heap?gc=1")
	}
	m := metricsOf(ctx, t, n)
	got := memory{m["go_gc_heap_live_bytes"], m["go_memstats_stack_inuse_bytes"], m["process_resident_memory_bytes"]}
	if got.live == 0 || got.stacks == 0 || got.rss == 0 {
		t.Fatalf("%s tells too little of its memory: %+v", n.Name, got)
	}
	return got
}

func (m memory) less(o memory) memory { return m.plus(o, -1) }

func (m memory) plus(o memory, times float64) memory {
	return memory{m.live + times*o.live, m.stacks + times*o.stacks, m.rss + times*o.rss}
}

// profiled lets the nodes answer questions about their own memory and time.
func profiled(o *harness.Options) { o.NodeEnv = append(o.NodeEnv, "TRUNKLINE_PROFILE=true") }

// profile takes a CPU profile of each node for so long, if one is wanted; done
// waits for them.
func profile(ctx context.Context, t *testing.T, c *harness.Cluster, took time.Duration) (done func()) {
	t.Helper()
	var all sync.WaitGroup
	for _, n := range c.Nodes {
		if *figureProfile != "" {
			all.Go(func() {
				b := get(ctx, t, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", n.Ready.Metrics, int(took.Seconds())))
				if err := os.WriteFile(filepath.Join(*figureProfile, n.Name+".pprof"), b, 0o600); err != nil {
					t.Error(err)
				}
			})
		}
	}
	return all.Wait
}
