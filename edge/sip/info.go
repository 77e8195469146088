package sip

import (
	"strings"

	"github.com/emiago/sipgo/sip"
)

// info takes DTMF as application/dtmf-relay ("Signal=5") or application/dtmf.
func (l *Leg) info(req *sip.Request, tx *sip.ServerTx) {
	status := sip.StatusOK
	switch kind := contentType(req); {
	case len(req.Body()) == 0:
	case kind == "application/dtmf-relay" || kind == "application/dtmf":
		if digit, ok := dtmf(req.Body(), kind); !ok {
			status = sip.StatusBadRequest
		} else if l.ev.Digit != nil && l.state != early {
			l.emit(func() { l.ev.Digit(digit) })
		}
	default:
		status = sip.StatusUnsupportedMediaType
	}
	res := l.refusal(req, status)
	if status == sip.StatusUnsupportedMediaType {
		res.AppendHeader(sip.NewHeader("Accept", "application/dtmf-relay, application/dtmf"))
	}
	l.respond(req, tx, res)
}

func dtmf(body []byte, kind string) (byte, bool) {
	signal := strings.TrimSpace(string(body))
	if kind == "application/dtmf-relay" {
		signal = ""
		for line := range strings.Lines(string(body)) {
			if name, value, ok := strings.Cut(line, "="); ok && strings.EqualFold(strings.TrimSpace(name), "signal") {
				signal = strings.TrimSpace(value)
				break
			}
		}
	}
	switch signal {
	case "10":
		signal = "*"
	case "11":
		signal = "#"
	}
	if len(signal) != 1 {
		return 0, false
	}
	d := strings.ToUpper(signal)[0]
	return d, strings.IndexByte("0123456789*#ABCD", d) >= 0
}
