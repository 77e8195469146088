package sip

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count by method and status; label values are a closed set.
type metrics struct {
	requests  *prometheus.CounterVec // received
	responses *prometheus.CounterVec // sent
	sent      *prometheus.CounterVec // requests sent, by the final status
	refusals  *prometheus.CounterVec
	dropped   *prometheus.CounterVec
	takeovers *prometheus.CounterVec
	legs      prometheus.Gauge
	inFlight  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trunkline_sip_" + name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "trunkline_sip_" + name, Help: help})
	}
	m := &metrics{
		requests:  vec("requests_total", "SIP requests received from trunks.", "method"),
		responses: vec("responses_total", "SIP responses sent.", "method", "status"),
		sent:      vec("sent_requests_total", "SIP requests sent, by final status.", "method", "status"),
		refusals:  vec("refused_calls_total", "Calls that did not get through.", "reason"),
		dropped:   vec("dropped_messages_total", "Messages dropped without an answer or transaction.", "reason"),
		takeovers: vec("takeovers_total", "Dialogs continued from another node.", "outcome"),
		legs:      gauge("legs", "Live SIP legs."),
		inFlight:  gauge("invites_in_flight", "INVITEs without a final response."),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.responses, m.sent, m.refusals, m.dropped, m.takeovers, m.legs, m.inFlight} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) request(method string) { m.requests.WithLabelValues(label(method)).Inc() }

func (m *metrics) response(method string, status int) {
	m.responses.WithLabelValues(label(method), strconv.Itoa(status)).Inc()
}

func (m *metrics) answered(method string, status int) {
	m.sent.WithLabelValues(label(method), strconv.Itoa(status)).Inc()
}

func label(method string) string {
	if known([]byte(method)) {
		return method
	}
	return "other"
}
