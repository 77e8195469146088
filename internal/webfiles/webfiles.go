// Package webfiles serves the built web app, from the cloud and from every node
// alike: fingerprinted files under /assets/ for a year, anything else that is no
// file is index.html, for the app's own router.
package webfiles

import (
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// ContentPolicy is the Content-Security-Policy; connect names the origins
// besides our own the app may talk to. Styles may be inline because the
// component library sets custom properties that way; scripts may not.
func ContentPolicy(connect ...string) string {
	others := ""
	if len(connect) > 0 {
		others = " " + strings.Join(connect, " ")
	}
	return "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
		"media-src 'self' blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'" + others +
		"; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
}

// New serves dist. policy gives the Content-Security-Policy of a page.
func New(dist fs.FS, policy func(*http.Request) string) http.Handler {
	return &webFiles{dist: dist, csp: policy}
}

type webFiles struct {
	dist fs.FS
	csp  func(*http.Request) string
}

func (f *webFiles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	switch {
	case strings.HasPrefix(name, "assets/"):
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		f.file(w, r, name)
	case name != "" && name != "index.html" && f.isFile(name) && !encoded(name):
		h.Set("Cache-Control", "public, max-age=3600")
		f.file(w, r, name)
	case name != "" && name != "index.html" && strings.Contains(path.Base(name), "."), strings.HasPrefix(name, "trunkline."):
		http.NotFound(w, r) // a file or an RPC there is none of
	default:
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Security-Policy", f.csp(r))
		h.Set("Permissions-Policy", "microphone=(self), camera=(), geolocation=()")
		h.Set("X-Frame-Options", "DENY")
		if !f.isFile("index.html") {
			http.Error(w, "This program was built without the web app.", http.StatusNotFound)
			return
		}
		f.file(w, r, "index.html")
	}
}

func (f *webFiles) isFile(name string) bool {
	info, err := fs.Stat(f.dist, name)
	return err == nil && info.Mode().IsRegular()
}

func encoded(name string) bool {
	return strings.HasSuffix(name, ".br") || strings.HasSuffix(name, ".gz")
}

// file serves a file in the smallest encoding the browser takes.
func (f *webFiles) file(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	if !f.isFile(name) || encoded(name) {
		h.Del("Cache-Control")
		http.NotFound(w, r)
		return
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		h.Set("Content-Type", t)
	}
	h.Set("Vary", "Accept-Encoding")
	for _, e := range []struct{ token, ending string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if accepts(r.Header.Get("Accept-Encoding"), e.token) && f.isFile(name+e.ending) {
			h.Set("Content-Encoding", e.token)
			name += e.ending
			break
		}
	}
	http.ServeFileFS(w, r, f.dist, name)
}

// accepts reads an Accept-Encoding header (RFC 9110 section 12.5.3); a token
// with q=0 is refused.
func accepts(header, token string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), token) {
			q := strings.TrimSpace(params)
			return q != "q=0" && !strings.HasPrefix(q, "q=0.0")
		}
	}
	return false
}
