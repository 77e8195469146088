package server

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/cors"

	"trunkline/internal/webfiles"
	"trunkline/webapp"
)

// mountWeb serves the web app at every path nothing else took.
func (s *Server) mountWeb(context.Context) error {
	s.web.Handle("/", webfiles.New(webapp.Dist(), func(r *http.Request) string {
		return webfiles.ContentPolicy(s.nodeOrigins(r.Context())...)
	}))
	s.web.HandleFunc("GET /app-config.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, `{"role":"cloud","cloud_url":"","site":""}`+"\n")
	})
	return nil
}

// nodeOrigins are the web origins of all sites' nodes, as the fleet knows them.
func (s *Server) nodeOrigins(ctx context.Context) []string {
	if s.features.nodeOrigins == nil {
		return nil
	}
	return s.features.nodeOrigins(ctx)
}

// crossOrigin lets pages served by the sites' nodes, and no others, call the
// cloud with a bearer token: agents open the app at their site. Cookies stay out,
// because a node is its tenant's own machine and could use a visitor's.
func (s *Server) crossOrigin(next http.Handler) http.Handler {
	methods, headers := strings.Join(cors.AllowedMethods(), ", "), strings.Join(append(cors.AllowedHeaders(), "Authorization"), ", ")
	exposed := strings.Join(cors.ExposedHeaders(), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if origin == "" || !slices.Contains(s.nodeOrigins(r.Context()), origin) {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", exposed)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", headers)
			h.Set("Access-Control-Max-Age", "7200")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
