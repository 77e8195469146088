package node

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	connectcors "connectrpc.com/cors"

	"trunkline/edge/softphone"
	"trunkline/internal/rpcx"
	"trunkline/internal/webfiles"
	"trunkline/proto/gen/trunkline/agent/v1/agentv1connect"
	"trunkline/webapp"
)

// webHandler is what browsers reach: the desktop, its RPCs, and the web app.
func (n *Node) webHandler() http.Handler {
	opts := rpcx.Options(rpcx.Config{Authenticate: n.phones.Authenticate, Log: n.log})
	mux := http.NewServeMux()
	mux.Handle(agentv1connect.NewAgentServiceHandler(n.phones, opts...))
	mux.Handle(agentv1connect.NewCallerServiceHandler(softphone.Callers{Service: n.phones}, opts...))
	mux.HandleFunc("GET /app-config.json", n.appConfig)
	mux.Handle("/", webfiles.New(webapp.Dist(), func(*http.Request) string {
		return webfiles.ContentPolicy(n.origins()...)
	}))
	return rpcx.Transport(n.cors(mux), false)
}

// appConfig tells the web app where it is served from.
func (n *Node) appConfig(w http.ResponseWriter, _ *http.Request) {
	self := n.cfg.Enrolment.Node()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]string{
		"role": "edge", "cloud_url": n.cloudURL(), "site": self.SiteName, "node": self.Name,
	})
}

// cloudURL is the cloud's address as people open it.
func (n *Node) cloudURL() string {
	if o := n.dir.Load().site.GetAllowedOrigins(); len(o) > 0 {
		return o[0]
	}
	return n.cfg.Enrolment.Node().Cloud
}

// origins are the web origins of this site and its cloud: those that may call
// this node, and that its pages may call.
func (n *Node) origins() []string {
	out := slices.Clone(n.dir.Load().site.GetAllowedOrigins())
	for _, peer := range n.replica.View().Nodes() {
		if peer.WebURL != "" {
			out = append(out, strings.TrimSuffix(peer.WebURL, "/"))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cors lets the pages of this site's nodes and of its cloud call this node.
// Tokens are bearer tokens, so no credentials are allowed.
func (n *Node) cors(next http.Handler) http.Handler {
	headers := strings.Join(append(connectcors.AllowedHeaders(), "Authorization"), ", ")
	exposed := strings.Join(connectcors.ExposedHeaders(), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		h := w.Header()
		h.Add("Vary", "Origin")
		allowed := origin != "" && slices.Contains(n.origins(), origin)
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", exposed)
		}
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			if allowed {
				h.Set("Access-Control-Allow-Methods", "POST, GET")
				h.Set("Access-Control-Allow-Headers", headers)
				h.Set("Access-Control-Allow-Private-Network", "true")
				h.Set("Access-Control-Max-Age", "7200")
			}
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
