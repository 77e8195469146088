package fleet

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	factsTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "trunkline_facts_total",
		Help: "Facts from sites by what became of them: stored, duplicate, gap, refused (chain broken), quarantined, recovered.",
	}, []string{"result"})
	snapshots = promauto.NewCounter(prometheus.CounterOpts{
		Name: "trunkline_config_snapshots_total", Help: "Configuration snapshots made.",
	})
	snapshotFailures = promauto.NewCounter(prometheus.CounterOpts{
		Name: "trunkline_config_snapshot_failures_total", Help: "Snapshots that could not be made; the site keeps the one before.",
	})
	watching = promauto.NewGauge(prometheus.GaugeOpts{
		Name: "trunkline_nodes_watching", Help: "Nodes with an open Watch stream here.",
	})
	notAssigned = promauto.NewCounter(prometheus.CounterOpts{
		Name: "trunkline_foreign_reports_total", Help: "Reports by nodes for tenants their site does not serve.",
	})
)
