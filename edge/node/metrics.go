package node

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"trunkline/edge/recording"
	"trunkline/edge/replica"
	"trunkline/internal/life"
)

// liveHeap adds what the last garbage collection found alive to the Go metrics
// that are there by default: the heap without what is garbage already.
var liveHeap = sync.OnceFunc(func() {
	prometheus.Unregister(collectors.NewGoCollector())
	prometheus.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(
		collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/gc/heap/live:bytes$`)},
	)))
})

// metricsServer serves operators' tools. Profiles only on request, and to nobody
// but this machine: they name what is in memory.
func (n *Node) metricsServer() life.Service {
	liveHeap()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(n.status())
	})
	if os.Getenv("TRUNKLINE_PROFILE") == "true" && loopback(n.sockets.metrics.Addr()) {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	}
	return serveOn(n.sockets.metrics, mux)
}

// status is what `trunkline-edge status` shows, with or without a cloud.
func (n *Node) status() any {
	connected, seen := n.uplink.CloudLink()
	return struct {
		Node    string         `json:"node"`
		Version string         `json:"version"`
		Replica replica.Status `json:"replica"`
		Calls   int            `json:"calls"`
		Agents  int            `json:"agents"`
		Numbers int            `json:"numbers"`
		Cloud   bool           `json:"cloud_connected"`
		Seen    time.Time      `json:"cloud_seen_at"`
		Wrong   []string       `json:"invariants_broken"`

		Recording recording.Status `json:"recording"`
	}{
		n.cfg.Name, n.cfg.Version, n.replica.Status(), n.board.Count(), n.phones.Agents(), len(n.dir.Load().numbers), connected, seen,
		replica.CheckInvariants(n.replica.View()), n.recordings.Status(),
	}
}

func loopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}
