package rpcx

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"

	"trunkline/internal/fault"
	"trunkline/internal/grant"
)

// Caller is who a request comes from: a person's claims, a node's certificate,
// or nobody (both empty).
type Caller struct {
	Claims grant.Claims
	Node   *NodeIdentity
	IP     string // the remote address without its port
}

// NodeIdentity is what a node's client certificate says.
type NodeIdentity struct {
	Site string // site id
	Node string // node name, unique in its site
	// Serial is the certificate's serial number in hex: one that was replaced may
	// still hold a connection.
	Serial string
}

// Actor names the caller for audit and log: an account id, "acting:<e-mail>",
// "node:<site>/<name>" or "".
func (c Caller) Actor() string {
	switch {
	case c.Claims.ActingAdmin != "":
		return "acting:" + c.Claims.ActingAdmin
	case c.Claims.Account != "":
		return c.Claims.Account
	case c.Node != nil:
		return "node:" + c.Node.Site + "/" + c.Node.Node
	}
	return ""
}

type callerKey struct{}

// WithCaller puts the caller into the context: for Authenticate's result, and
// for tests of services without RPC.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom gives the caller; false when there is none, as in background work.
func CallerFrom(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// TenantFrom gives the tenant of the caller's token, 0 without one. No row has
// tenant 0, so a query for it finds nothing.
func TenantFrom(ctx context.Context) int64 {
	c, _ := CallerFrom(ctx)
	return c.Claims.Tenant
}

type transportKey struct{}

type transport struct {
	tls *tls.ConnectionState
	ip  string
}

// Transport hands the TLS state and remote address of each request to the
// chain, and sees to the answer to one that cannot be read. trustForwarded takes the address from the last X-Forwarded-For entry:
// only behind a proxy of ours.
func Transport(next http.Handler, trustForwarded bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ip, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			ip = r.RemoteAddr
		}
		if fwd := r.Header.Get("X-Forwarded-For"); trustForwarded && fwd != "" {
			ip = strings.TrimSpace(fwd[strings.LastIndexByte(fwd, ',')+1:])
		}
		exchanged(next, w, r.WithContext(context.WithValue(r.Context(), transportKey{}, transport{r.TLS, ip})))
	})
}

// RemoteIP gives the address Transport saw, "" without it.
func RemoteIP(ctx context.Context) string {
	t, _ := ctx.Value(transportKey{}).(transport)
	return t.ip
}

// Bearer gives the token of an "Authorization: Bearer" header, "" without one.
func Bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// NodeFromTLS reads the identity of a verified node certificate: one URI name
// of the form trunkline://site/<site id>/node/<name>. nil without one.
func NodeFromTLS(state *tls.ConnectionState) *NodeIdentity {
	if state == nil || len(state.VerifiedChains) == 0 {
		return nil
	}
	for _, u := range state.VerifiedChains[0][0].URIs {
		site, node, ok := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/node/")
		if u.Scheme == "trunkline" && u.Host == "site" && ok && site != "" && node != "" {
			return &NodeIdentity{Site: site, Node: node, Serial: state.VerifiedChains[0][0].SerialNumber.Text(16)}
		}
	}
	return nil
}

// Faults of the chain itself.
var (
	errNoSession = fault.New(fault.Unauthenticated, "fault.session.missing").WithAction("action.sign_in")
	errForbidden = fault.New(fault.Forbidden, "fault.forbidden")
)
