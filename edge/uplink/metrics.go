package uplink

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	connectedGauge = promauto.NewGauge(prometheus.GaugeOpts{
		Name: "trunkline_uplink_connected", Help: "1 while the cloud is heard.",
	})
	factsSent = promauto.NewCounter(prometheus.CounterOpts{
		Name: "trunkline_uplink_facts_total", Help: "Facts the cloud has acknowledged to this node.",
	})
	factsStuck = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "trunkline_uplink_facts_stuck_total", Help: "Batches the cloud did not take: gap, refused.",
	}, []string{"why"})
	inboxTaken = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "trunkline_uplink_inbox_total", Help: "Work taken from the cloud: applied, refused, expired, unknown.",
	}, []string{"outcome"})
	uploadedBytes = promauto.NewCounter(prometheus.CounterOpts{
		Name: "trunkline_uplink_recording_bytes_total", Help: "Bytes of recordings uploaded.",
	})
)
