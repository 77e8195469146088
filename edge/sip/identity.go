package sip

import (
	"strings"

	"github.com/emiago/sipgo/sip"
)

// identify writes who calls: the network's word in P-Asserted-Identity
// (RFC 3325), the wish for privacy (RFC 3323), and who was called before
// (RFC 5806). From is the dialog's.
func identify(req *sip.Request, ua *UA, out Outgoing, t Trunk) {
	if out.From != "" {
		own := sip.FromHeader{DisplayName: quotable(out.FromName), Address: sip.Uri{Scheme: "sip", User: out.From, Host: ua.domain(t)}}
		req.AppendHeader(sip.NewHeader("P-Asserted-Identity", own.Value()))
	}
	if out.Anonymous {
		req.AppendHeader(sip.NewHeader("Privacy", "id"))
	}
	if out.DivertedFrom != "" {
		from := sip.FromHeader{Address: sip.Uri{Scheme: "sip", User: out.DivertedFrom, Host: ua.domain(t)}}
		req.AppendHeader(sip.NewHeader("Diversion", from.Value()+";reason=unconditional;counter=1"))
	}
}

// domain is the host part of our addresses towards a trunk.
func (ua *UA) domain(t Trunk) string {
	if t.Domain != "" {
		return t.Domain
	}
	return ua.host
}

// direct makes the dialog that of the call by a trunk to one of its targets.
func (d *dialog) direct(ua *UA, out Outgoing, t Trunk, to target) {
	from := sip.FromHeader{DisplayName: quotable(out.FromName), Address: sip.Uri{Scheme: "sip", User: out.From, Host: ua.domain(t)}}
	if out.Anonymous || out.From == "" {
		from = sip.FromHeader{DisplayName: "Anonymous", Address: sip.Uri{Scheme: "sip", User: "anonymous", Host: "anonymous.invalid"}}
	}
	from.Params.Add("tag", d.LocalTag)
	called := sip.Uri{Scheme: "sip", User: out.To, Host: t.Domain}
	if called.Host == "" {
		called.Host, _, _ = splitHostPort(to.host)
	}
	callee := sip.ToHeader{Address: called}
	if to.user != "" {
		called.User = to.user
	}
	if t.Domain == "" {
		called.Port = int(to.addr.Port())
	}
	d.Local, d.Remote, d.RemoteTag = from.Value(), callee.Value(), ""
	d.Target, d.Source, d.TrunkID = called.String(), to.addr.String(), t.ID
	d.Transport = udp
	if t.Transport == "tcp" {
		d.Transport = tcp
	}
}

// callerOf takes the network's word (RFC 3325) before the phone's. A caller
// who asked for privacy has neither number nor name here.
func callerOf(req *sip.Request) (num, name string) {
	for _, h := range req.GetHeaders("privacy") {
		for p := range strings.FieldsFuncSeq(strings.ToLower(h.Value()), func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
			if p == "id" || p == "user" {
				return "", ""
			}
		}
	}
	from := req.From()
	num, name = number(userOf([]byte(from.Address.String()))), displayName(from.DisplayName)
	for _, header := range [...]string{"p-asserted-identity", "remote-party-id"} {
		h := req.GetHeader(header)
		if h == nil {
			continue
		}
		var uri sip.Uri
		shown, err := sip.ParseAddressValue(h.Value(), &uri, nil)
		if n := number(userOf([]byte(uri.String()))); err == nil && n != "" {
			if s := displayName(shown); s != "" {
				name = s
			}
			return n, name
		}
	}
	if num == "" {
		name = ""
	}
	return num, name
}

func displayName(s string) string {
	s = printable(strings.ReplaceAll(strings.Trim(s, `"`), `\"`, `"`), 128)
	if strings.EqualFold(s, "anonymous") {
		return ""
	}
	return s
}

// quotable makes s fit for a quoted string.
func quotable(s string) string {
	return strings.NewReplacer(`"`, "", `\`, "").Replace(printable(s, 128))
}
