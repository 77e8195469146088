package server

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestWebListener(t *testing.T) {
	h := newHarness(t)
	h.signUp("ada@x.example", "Acme")
	h.features.nodeOrigins = func(context.Context) []string { return []string{"https://n1.berlin.example"} }
	get := func(method, path string, header ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, h.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	res := get("GET", "/calls/1")
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'self'") || !strings.Contains(csp, "connect-src 'self' https://n1.berlin.example") {
		t.Errorf("CSP %q", csp)
	}
	if !strings.Contains(res.Header.Get("Permissions-Policy"), "microphone=(self)") || res.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%v", res.Header)
	}
	for _, path := range []string{"/trunkline.cloud.v1.NoService/Get", "/assets/none.js", "/none.txt"} {
		if res := get("GET", path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	if res := get("GET", "/app-config.json"); res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %v", res.Status, res.Header)
	}
	// Pages of the sites' nodes may call us with a bearer token, never with cookies:
	// a node is its tenant's own machine. Nobody else's may.
	preflight := func(origin string) http.Header {
		return get("OPTIONS", "/trunkline.access.v1.AccessService/Refresh", "Origin", origin, "Access-Control-Request-Method", "POST").Header
	}
	if got := preflight("https://n1.berlin.example"); got.Get("Access-Control-Allow-Origin") != "https://n1.berlin.example" ||
		got.Get("Access-Control-Allow-Credentials") != "" || !strings.Contains(got.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("%v", got)
	}
	if got := preflight("https://evil.example"); got.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", got)
	}
	// The operator's own listener.
	metrics, err := http.Get(h.Ready().Metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer metrics.Body.Close()
	body, err := io.ReadAll(metrics.Body)
	for _, name := range []string{"trunkline_rpc_seconds", "trunkline_platform_transactions_total", "go_goroutines"} {
		if !strings.Contains(string(body), name) || err != nil {
			t.Errorf("no %s among the metrics, %v", name, err)
		}
	}
	if res := get("GET", "/metrics"); strings.Contains(res.Header.Get("Content-Type"), "version=") {
		t.Error("the public listener shows metrics")
	}
	health, err := http.Get(h.Ready().Metrics + "/healthz")
	if err != nil || health.StatusCode != http.StatusOK {
		t.Error(health, err)
	}
	_ = health.Body.Close()
}
