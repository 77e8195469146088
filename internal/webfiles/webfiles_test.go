package webfiles_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"trunkline/internal/webfiles"
)

func TestServing(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	h := webfiles.New(fstest.MapFS{
		"index.html": file("page"), "index.html.br": file("br page"), "icon.svg": file("icon"),
		"assets/app-1.js": file("js"), "assets/app-1.js.br": file("br js"), "assets/app-1.js.gz": file("gz js"),
	}, func(*http.Request) string { return webfiles.ContentPolicy("https://n1.example") })
	for _, c := range []struct {
		method, path, accept string
		status               int
		body, encoding       string
		cache                string
	}{
		{"GET", "/", "", 200, "page", "", "no-cache"},
		{"GET", "/", "gzip, br", 200, "br page", "br", "no-cache"},
		{"GET", "/calls/7", "", 200, "page", "", "no-cache"},
		{"GET", "/index.html", "", 301, "", "", ""},
		{"GET", "/assets/app-1.js", "gzip, deflate, br;q=0.9", 200, "br js", "br", "immutable"},
		{"GET", "/assets/app-1.js", "br;q=0, gzip", 200, "gz js", "gzip", "immutable"},
		{"GET", "/assets/app-1.js", "", 200, "js", "", "immutable"},
		{"GET", "/assets/app-1.js.br", "", 404, "", "", ""},
		{"GET", "/assets/gone.js", "", 404, "", "", ""},
		{"GET", "/assets/", "", 200, "page", "", "no-cache"},
		{"GET", "/icon.svg", "", 200, "icon", "", "max-age=3600"},
		{"GET", "/favicon.ico", "", 404, "", "", ""},
		{"GET", "/../../etc/passwd", "", 400, "", "", ""},
		{"GET", "/trunkline.cloud.v1.None/Get", "", 404, "", "", ""},
		{"POST", "/", "", 405, "", "", ""},
	} {
		t.Run(c.method+c.path+" "+c.accept, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, nil)
			r.Header.Set("Accept-Encoding", c.accept)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			res := w.Result()
			if res.StatusCode != c.status || res.Header.Get("Content-Encoding") != c.encoding || !strings.Contains(res.Header.Get("Cache-Control"), c.cache) {
				t.Errorf("%d %v", res.StatusCode, res.Header)
			}
			if c.status == 200 && w.Body.String() != c.body {
				t.Errorf("body %q", w.Body)
			}
			if c.status == 404 && strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
				t.Error("a missing file is kept for a year")
			}
			if c.body == "page" && !strings.Contains(res.Header.Get("Content-Security-Policy"), "connect-src 'self' https://n1.example;") {
				t.Error(res.Header.Get("Content-Security-Policy"))
			}
		})
	}
}
