package replica

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"trunkline/edge/call"
)

// From 100 us to 3 s, each bucket twice the one before.
var latencies = prometheus.ExponentialBuckets(100e-6, 2, 16)

var (
	commandsApplied = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "trunkline_replica_commands_total", Help: "Commands applied on this node, by type.",
	}, []string{"command"})
	entriesApplied = promauto.NewCounter(prometheus.CounterOpts{
		Name: "trunkline_replica_entries_total", Help: "Log entries applied on this node; each holds a batch of commands.",
	})
	writeSeconds = promauto.NewHistogram(prometheus.HistogramOpts{
		Name: "trunkline_replica_write_seconds", Help: "Writes of this node's log, fsync included.", Buckets: latencies,
	})
	clockAhead = promauto.NewGauge(prometheus.GaugeOpts{
		Name: "trunkline_clock_ahead_seconds", Help: "How far this machine's clock is ahead of the majority of its site's.",
	})
	clockOff = promauto.NewGauge(prometheus.GaugeOpts{
		Name: "trunkline_clock_off", Help: "1 while this machine's clock is further off than it may be: the node does not lead.",
	})
	applySeconds = promauto.NewHistogram(prometheus.HistogramOpts{
		Name: "trunkline_replica_apply_seconds", Help: "From a command's proposal on this node to its outcome.", Buckets: latencies,
	})
)

// applied counts by type, without a look-up by name for each command.
var applied = func() map[call.Type]prometheus.Counter {
	byType := make(map[call.Type]prometheus.Counter, len(decoders))
	for t, read := range decoders {
		empty, err := read([]byte{0xa0}) // the CBOR of a map without entries
		if err != nil {
			panic(err)
		}
		byType[t] = commandsApplied.WithLabelValues(strings.TrimPrefix(fmt.Sprintf("%T", empty), "call."))
	}
	return byType
}()
