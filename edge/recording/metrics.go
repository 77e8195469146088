package recording

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	stoppedGauge = promauto.NewGaugeVec(prometheus.GaugeOpts{
		Name: "trunkline_recording_stopped", Help: "1 while this node does not record, by why.",
	}, []string{"reason"})
	notRecorded = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "trunkline_recordings_stopped_total", Help: "Recordings that were not begun, or ended before their call, by why.",
	}, []string{"reason"})
)
