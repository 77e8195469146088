package sip

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/fxamacker/cbor/v2"
)

// dialog is the state of RFC 3261 12 with what it takes to go on with it
// elsewhere: plain data, so that a snapshot is its encoding. Sequence numbers
// of RTP and keys are not in it: a takeover starts new streams.
type dialog struct {
	Schema uint8  `cbor:"1,keyasint"`
	CallID string `cbor:"2,keyasint"`
	// Local and Remote are the values of From and To of our requests, with tags.
	Local     string `cbor:"3,keyasint"`
	Remote    string `cbor:"4,keyasint"`
	LocalTag  string `cbor:"5,keyasint"`
	RemoteTag string `cbor:"6,keyasint"`
	LocalSeq  uint32 `cbor:"7,keyasint"`
	// RemoteSeq is the CSeq of the peer's last request; 0 with RemoteNone.
	RemoteSeq  uint32 `cbor:"8,keyasint"`
	RemoteNone bool   `cbor:"9,keyasint,omitempty"`
	// Target is the peer's Contact, Routes the route set, ours to use in order.
	Target string   `cbor:"10,keyasint"`
	Routes []string `cbor:"11,keyasint,omitempty"`
	// Transport is "UDP" or "TCP", Source where the peer's last request or
	// response came from.
	Transport string `cbor:"12,keyasint"`
	Source    string `cbor:"13,keyasint,omitempty"`
	TrunkID   string `cbor:"14,keyasint"`
	// Caller: we placed the call, so the Call-ID is ours (RFC 3261 14.1).
	Caller  bool    `cbor:"15,keyasint,omitempty"`
	Session session `cbor:"16,keyasint"`
	// Expires is the session interval in seconds (RFC 4028); 0 = none. The peer
	// refreshes it, or we do.
	Expires   uint32 `cbor:"17,keyasint,omitempty"`
	Refresher bool   `cbor:"18,keyasint,omitempty"`
	// Updates: the peer takes UPDATE, which refreshes without an offer.
	Updates bool `cbor:"19,keyasint,omitempty"`
	// MinExpires is the shortest interval the peer takes, once it said so (422).
	MinExpires uint32 `cbor:"20,keyasint,omitempty"`
}

// schema of the snapshot. A node reads its own and older ones.
const schema = 1

// A takeover moves on past whatever the dead node sent after its last
// snapshot: requests, and versions of its description.
const (
	seqJump     = 1000
	versionJump = 16
)

func (d *dialog) encode() []byte {
	d.Schema = schema
	b, err := cbor.Marshal(d)
	if err != nil {
		panic("sip: dialog can not be encoded: " + err.Error()) // only plain fields
	}
	return b
}

func decodeDialog(b []byte) (*dialog, error) {
	d := &dialog{}
	if err := cbor.Unmarshal(b, d); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	var uri sip.Uri
	switch {
	case d.Schema == 0 || d.Schema > schema:
		return nil, fmt.Errorf("%w: schema %d", ErrSnapshot, d.Schema)
	case d.CallID == "" || d.LocalTag == "" || d.Local == "" || d.Remote == "" || len(d.Session.Lines) == 0:
		return nil, fmt.Errorf("%w: incomplete", ErrSnapshot)
	case d.Caller && d.RemoteTag == "":
		return nil, fmt.Errorf("%w: not answered yet", ErrSnapshot)
	case d.Transport != udp && d.Transport != tcp:
		return nil, fmt.Errorf("%w: transport %q", ErrSnapshot, d.Transport)
	case sip.ParseUri(d.Target, &uri) != nil:
		return nil, fmt.Errorf("%w: target %q", ErrSnapshot, d.Target)
	}
	return d, nil
}

// Transports, as sipgo writes them.
const (
	udp = "UDP"
	tcp = "TCP"
)

func (d *dialog) key() dialogKey { return dialogKey{d.CallID, d.LocalTag, d.RemoteTag} }

type dialogKey struct{ callID, localTag, remoteTag string }

// answering makes the dialog of the called side (RFC 3261 12.1.1).
func answering(req *sip.Request, localTag string) *dialog {
	d := &dialog{
		CallID: req.CallID().Value(), LocalTag: localTag, RemoteTag: tagOf(req.From().Params),
		Local: req.To().Value() + ";tag=" + localTag, Remote: req.From().Value(),
		RemoteSeq: req.CSeq().SeqNo, LocalSeq: firstSeq(),
		Transport: req.Transport(), Source: req.Source(),
	}
	d.refreshTarget(req)
	d.Updates = optionTags(req, "UPDATE", "allow")
	for _, h := range req.GetHeaders("record-route") {
		d.Routes = append(d.Routes, h.Value())
	}
	return d
}

// refreshTarget takes the Contact of a request or response that may change it
// (RFC 3261 12.2); true = it is a new one.
func (d *dialog) refreshTarget(m contactful) bool {
	c := m.Contact()
	if c == nil || c.Address.Wildcard {
		return false
	}
	target := c.Address.String()
	if target == d.Target {
		return false
	}
	d.Target = target
	return true
}

// established completes a calling dialog with a 2xx (RFC 3261 12.1.2).
func (d *dialog) established(res *sip.Response) {
	d.RemoteTag = tagOf(res.To().Params)
	d.Remote = res.To().Value()
	d.refreshTarget(res)
	d.Updates = optionTags(res, "UPDATE", "allow")
	d.Routes = nil
	for _, h := range res.GetHeaders("record-route") {
		d.Routes = append(d.Routes, h.Value())
	}
	slices.Reverse(d.Routes)
}

func (d *dialog) copy() *dialog {
	c := *d
	c.Routes = slices.Clone(d.Routes)
	c.Session.Lines = slices.Clone(d.Session.Lines)
	return &c
}

type contactful interface{ Contact() *sip.ContactHeader }

// nextSeq is the CSeq of our next request.
func (d *dialog) nextSeq() uint32 {
	d.LocalSeq++
	return d.LocalSeq
}

// request builds a request within the dialog (RFC 3261 12.2.1.1), with the
// given CSeq. Contact, Via and the hop are the UA's to add.
func (d *dialog) request(method sip.RequestMethod, seq uint32) (*sip.Request, error) {
	var target sip.Uri
	if err := sip.ParseUri(d.Target, &target); err != nil {
		return nil, fmt.Errorf("remote target: %w", err)
	}
	routes := d.Routes
	if len(routes) > 0 && !looseRoute(routes[0]) {
		// A strict router wants itself in the Request-URI and us at the end.
		first, err := routeURI(routes[0])
		if err != nil {
			return nil, err
		}
		routes = append(append([]string(nil), routes[1:]...), "<"+d.Target+">")
		target = first
	}
	req := sip.NewRequest(method, target)
	for _, r := range routes {
		req.AppendHeader(sip.NewHeader("Route", r))
	}
	req.AppendHeader(sip.NewHeader("From", d.Local))
	req.AppendHeader(sip.NewHeader("To", d.Remote))
	callID := sip.CallIDHeader(d.CallID)
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
	hops := sip.MaxForwardsHeader(70)
	req.AppendHeader(&hops)
	return req, nil
}

// nextHop is the URI a request goes to: the first route, else the target.
func (d *dialog) nextHop() (sip.Uri, error) {
	if len(d.Routes) > 0 {
		return routeURI(d.Routes[0])
	}
	var u sip.Uri
	err := sip.ParseUri(d.Target, &u)
	return u, err
}

func routeURI(value string) (sip.Uri, error) {
	var u sip.Uri
	if _, err := sip.ParseAddressValue(value, &u, nil); err != nil {
		return u, fmt.Errorf("route %q: %w", printable(value, 80), err)
	}
	return u, nil
}

func looseRoute(value string) bool {
	u, err := routeURI(value)
	return err == nil && u.UriParams.Has("lr")
}

// tagOf finds the tag, which folding may have put spaces around.
func tagOf(params sip.HeaderParams) string {
	for _, p := range params {
		if strings.EqualFold(strings.TrimSpace(p.K), "tag") {
			return strings.TrimSpace(p.V)
		}
	}
	return ""
}
