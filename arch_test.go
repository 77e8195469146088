package trunkline_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The table of ARCHITECTURE.md, "Folders and who may import whom", as a test. A package belongs to the first row whose pattern fits;
// every package may import internal, proto and its own part; a package without a row fails.

// row says what the packages of a part may import besides internal, proto and their own part.
type row struct {
	pattern string   // of the package's folder: "*" stands for one folder name, a pattern also covers what lies beneath it
	may     []string // patterns
	tests   []string // patterns that only its tests may import besides
	why     string   // the reason given when an import is outside of may
}

var table = []row{
	{pattern: "proto", why: "proto is generated and lies under everything"},
	{pattern: "internal", why: "internal is shared ground without business policy: it knows nothing above it"},

	{pattern: "tenants", tests: migrations, why: "tenants lies under billing and the features; what it needs of them it declares as an interface"},
	{pattern: "billing", may: []string{"tenants"}, tests: migrations, why: "billing meters and invoices tenants; it learns of the features through what cloud/server hands it"},

	{pattern: "cloud/cmd/*", may: []string{"cloud/server"}, why: "a program only parses its flags and starts its server"},
	{pattern: "cloud/server", may: []string{"cloud", "tenants", "billing", "webapp"}, why: "the cloud reaches a site only through proto"},
	{pattern: "cloud/events", why: "events are typed facts without logic: everybody imports them, they import nobody"},
	{pattern: "cloud/schema", why: "the migrations are one ordered list and use nobody's code, so old ones never change with it"},
	{pattern: "cloud/*", may: []string{"tenants", "cloud/events"}, tests: migrations, why: "a feature imports tenants and cloud/events only; cloud/server adapts one feature to the small interface another declares"},

	{pattern: "edge/cmd/*", may: []string{"edge/node", "edge/enroll", "edge/doctor"}, why: "a program only parses its flags and starts its node, or what comes before there is one: joining and checking"},
	{pattern: "edge/node", may: []string{"edge", "webapp"}, why: "a site works alone when the cloud is away; it reaches the cloud only through proto"},
	{pattern: "edge/call", why: "call is pure words that every other edge package speaks"},
	{pattern: "edge/media", why: "media moves and mixes packets and knows nothing of calls"},
	{pattern: "edge/acd", may: []string{"edge/call"}, why: "acd is a pure decider: no protocol, no store, no clock"},
	{pattern: "edge/ivr", may: []string{"edge/call"}, why: "ivr is a pure decider: no protocol, no store, no clock"},
	{pattern: "edge/switchboard", may: []string{"edge/call", "edge/acd", "edge/ivr"}, why: "switchboard declares the Leg, Media, State and Journal it needs; edge/node passes them in"},
	{pattern: "edge/replica", may: []string{"edge/call", "edge/acd"}, why: "the replicated state machine depends on nothing that differs between nodes"},
	{pattern: "edge/sip", may: []string{"edge/call", "edge/media"}, why: "a protocol becomes a call.Leg; who uses the leg is not its concern"},
	{pattern: "edge/softphone", may: []string{"edge/call", "edge/media"}, why: "a protocol becomes a call.Leg; who uses the leg is not its concern"},
	{pattern: "edge/recording", may: []string{"edge/call", "edge/media"}, why: "recording takes what media hands it and writes it down"},
	{pattern: "edge/journal", may: []string{"edge/call"}, why: "the journal keeps facts and does not know who makes or sends them"},
	{pattern: "edge/uplink", may: []string{"edge/call", "edge/journal"}, why: "the uplink sends the journal and knows nothing else of the node"},
	{pattern: "edge/enroll", may: []string{"edge/call"}, why: "enroll is a node's identity and knows nothing of what the node does with it"},
	{pattern: "edge/doctor", may: []string{"edge/enroll", "edge/call"}, why: "doctor looks at the machine from outside of the node, which may not even start"},
	{pattern: "edge/peers", may: []string{"edge/call"}, why: "peers speaks to other sites; edge/node connects it to this one"},

	{pattern: "webapp", why: "webapp only embeds what was built"},
	{pattern: "e2e/cmd/*", may: []string{"e2e/harness", "e2e/carrier"}, why: "the demo is the harness started by hand"},
	{pattern: "e2e", may: []string{"e2e/harness", "e2e/carrier"}, why: "e2e tests the shipped programs from outside, through proto"},
}

// A store is tested on PostgreSQL, with the schema it will meet there.
var migrations = []string{"cloud/schema"}

// Reasons for single edges, printed rather than the row's own: from, to, why.
var reasons = []struct{ from, to, why string }{
	{"edge", "cloud", "a site works alone when the cloud is away; it reaches the cloud only through proto"},
	{"edge", "tenants", "a site knows a tenant as a number in its replica, not as the cloud's record of it"},
	{"edge", "billing", "a site reports facts; what they cost is the cloud's concern"},
	{"cloud", "edge", "the cloud reaches a site only through proto"},
	{"cloud/*", "billing", "features do not know what they cost; cloud/server connects billing to the facts"},
	{"cloud/*", "cloud/server", "server imports the features, never the other way round"},
	{"edge", "edge/node", "node imports the parts, never the other way round"},
	{"*", "webapp", "only cloud/server and edge/node serve the web app"},
	{"*", "e2e", "nothing that ships imports test infrastructure"},
}

// Modules and packages of others that one place alone may import.
var doors = []struct {
	path string // a package and what lies beneath it
	only []string
	why  string
}{
	{"github.com/stripe/stripe-go", []string{"billing/stripe"}, "billing/stripe is the only place that knows the payment provider"},
	{"github.com/riverqueue/river", []string{"tenants/jobs", "cloud/schema"}, "jobs is the only place that knows the job runner, beside its migration"},
	{"github.com/jackc/pgx/v5/pgxpool", []string{"internal/pg", "tenants/tenantdb", "cloud/schema"}, "tenantdb is the only door to PostgreSQL: a pool elsewhere would go round tenant isolation"},
}

const module = "trunkline"

type goPackage struct {
	ImportPath                         string
	Name                               string
	Imports, TestImports, XTestImports []string
}

func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		dir := folder(p.ImportPath)
		if dir == "." {
			continue // this file
		}
		r, ok := find(dir)
		if !ok {
			t.Errorf("%s is in no row of the table: find it a place in ARCHITECTURE.md, then in arch_test.go", dir)
			continue
		}
		for _, imp := range p.Imports {
			checkImport(t, r, dir, imp, false)
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			checkImport(t, r, dir, imp, true)
		}
	}
}

func TestPackageNamesSayWhatTheyHold(t *testing.T) {
	empty := []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "lib"}
	for _, p := range listPackages(t) {
		if slices.Contains(empty, strings.TrimSuffix(p.Name, "_test")) {
			t.Errorf("package %s: the name says nothing; name it after what it holds", folder(p.ImportPath))
		}
	}
}

func checkImport(t *testing.T, r row, dir, imp string, inTest bool) {
	t.Helper()
	for _, d := range doors {
		if beneath(imp, d.path) && !slices.ContainsFunc(d.only, func(o string) bool { return fits(dir, o) }) {
			t.Errorf("%s imports %s: %s", dir, imp, d.why)
		}
	}
	if !beneath(imp, module) {
		return
	}
	to := folder(imp)
	switch {
	case fits(to, "internal"), fits(to, "proto"), samePart(r.pattern, dir, to):
		return
	case slices.ContainsFunc(r.may, func(m string) bool { return fits(to, m) }):
		return
	case inTest && slices.ContainsFunc(r.tests, func(m string) bool { return fits(to, m) }):
		return
	}
	why := r.why
	for _, e := range reasons {
		if fits(dir, e.from) && fits(to, e.to) {
			why = e.why
			break
		}
	}
	if inTest {
		dir += " (test)"
	}
	t.Errorf("%s imports %s: %s", dir, to, why)
}

func find(dir string) (row, bool) {
	for _, r := range table {
		if fits(dir, r.pattern) {
			return r, true
		}
	}
	return row{}, false
}

// fits says whether dir is what pattern names or lies beneath it.
func fits(dir, pattern string) bool {
	d, p := strings.Split(dir, "/"), strings.Split(pattern, "/")
	if len(d) < len(p) {
		return false
	}
	for i := range p {
		if p[i] != "*" && p[i] != d[i] {
			return false
		}
	}
	return true
}

// samePart says whether both folders lie in one part: for "cloud/*" that is one feature, not all of them.
func samePart(pattern, a, b string) bool {
	n := strings.Count(pattern, "/") + 1
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	return len(x) >= n && len(y) >= n && slices.Equal(x[:n], y[:n])
}

func beneath(path, parent string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }

func folder(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	// -e: a package that does not build has its own, better message elsewhere; its imports are checked here all the same.
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Imports,TestImports,XTestImports", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		if beneath(p.ImportPath, module+"/proto/gen") || strings.Contains(p.ImportPath, "/node_modules/") {
			continue
		}
		all = append(all, p)
	}
	return all
}

const longestFile = 700

func TestFilesStayReadable(t *testing.T) {
	for path, text := range sources(t, ".go", ".ts", ".tsx") {
		if n := strings.Count(text, "\n"); n > longestFile {
			t.Errorf("%s has %d lines, more than %d: split it by noun", path, n, longestFile)
		}
	}
}

// Tests wait for the event, never for time. What has to sleep is named here with its reason.
var maySleep = map[string]string{}

func TestTestsDoNotSleep(t *testing.T) {
	used := map[string]bool{}
	for path, text := range sources(t, "_test.go") {
		if strings.HasPrefix(path, "e2e/") || !strings.Contains(text, "time.Sleep(") {
			continue
		}
		if maySleep[path] != "" {
			used[path] = true
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` }) {
			continue // its clock is not ours: sleeping there takes no time
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && strings.HasPrefix(f.Name.Name, "Benchmark") {
				continue
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
					if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" {
						t.Errorf("%s: time.Sleep: wait for the event, or use testing/synctest", fset.Position(sel.Pos()))
					}
				}
				return true
			})
		}
	}
	for path := range maySleep {
		if !used[path] {
			t.Errorf("%s no longer sleeps: take it out of maySleep", path)
		}
	}
}

// sources is every file written by a person whose name ends so, by path.
func sources(t *testing.T, endings ...string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // gone while we looked
			}
			return err
		}
		if d.IsDir() {
			generated := path == "proto/gen" || path == "webapp/src/api/gen" || path == "webapp/dist"
			hidden := path != "." && strings.HasPrefix(d.Name(), ".")
			if generated || hidden || d.Name() == "node_modules" {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(path, e) }) || strings.Contains(d.Name(), ".gen.") {
			return nil
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		head, _, _ := strings.Cut(string(text), "\npackage ")
		if strings.Contains(head, "// Code generated ") && strings.Contains(head, "DO NOT EDIT") {
			return nil
		}
		files[filepath.ToSlash(path)] = string(text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
