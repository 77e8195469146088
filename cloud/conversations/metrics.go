package conversations

import (
	"crypto/subtle"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var recordingsTotal = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "trunkline_recording_pieces_total", Help: "Pieces of recordings taken in, by what became of the recording.",
}, []string{"status"})

func equalMAC(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
