package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// Where people look at pages: as they are told apart by routes, in each language,
// scheme and width. They are kept in .out/screens.
var (
	screenLanguages = map[string]string{"en": "en", "zh": "zh-Hans"}
	screenSchemes   = []string{"light", "dark"}
	screenWidths    = []int{1440, 390}
)

// TestScreens takes a picture of every route, with the data of a day, and asks
// axe-core about each. It fails on what breaks WCAG; pictures are for people.
func TestScreens(t *testing.T) {
	if !*screens {
		t.Skip("only with -screens")
	}
	c, ua := cluster(t)
	ctx := testContext(t, 15*time.Minute)
	dir := filepath.Join(root(), ".out", "screens")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const admin = "admin@platform.example"
	if _, err := c.CloudCommand(ctx, harness.Password+"\n", "admin", "create", "--email", admin, "--password-stdin"); err != nil {
		t.Fatal(err)
	}
	tn, callID, siteID := tenantWithADay(ctx, t, c, ua)
	s := &photographer{t: t, c: c, dir: dir}
	s.browser = browser(ctx, t, 1000, 400)
	defer s.report()

	s.take(ctx, "", "", "/sign-in", "/sign-up", "/confirm?email=a@b.example", "/forgot", "/reset?token=x", "/invitation?token=x", "/gallery")
	s.take(ctx, "owner", tn.owner.Email, "/setup", "/setup?step=test_call", "/setup?step=trunk", "/setup?step=agents", "/setup?step=routing",
		"/wallboard", "/calls", "/calls/"+callID, "/reports/queues", "/sites", "/sites/"+siteID, "/numbers", "/queues", "/flow",
		"/prompts", "/members", "/settings", "/account", "/nowhere")
	s.take(ctx, "admin", admin, "/console", fmt.Sprintf("/console/tenants/%d", tn.owner.Tenant), "/console/sites", "/console/audit", "/account")
	fresh, err := c.SignUp(ctx, "new@fresh.example", "Fresh Company", "en")
	if err != nil {
		t.Fatal(err)
	}
	s.take(ctx, "fresh", fresh.Email, "/setup", "/wallboard", "/calls", "/reports/queues", "/sites", "/numbers", "/members", "/desktop")
	s.desktop(ctx, tn, ua)
}

// tenantWithADay is a company with two agents and calls of each outcome; one is
// open at the end.
func tenantWithADay(ctx context.Context, t *testing.T, c *harness.Cluster, ua *carrier.Carrier) (tn *tenant, callID, siteID string) {
	t.Helper()
	tn = newTenant(ctx, t, c)
	ada, bo := tn.desk(ctx, t, "Ada", 1), tn.desk(ctx, t, "Bo", 2)
	if _, err := c.Invite(ctx, tn.owner, "sasha@"+tn.domain, "Sasha Supervisor", "supervisor"); err != nil {
		t.Fatal(err)
	}
	if err := bo.NotReady(ctx, ""); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if err := ada.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		call := tn.dial(ctx, t, ua, i%3, tone(400))
		call.Press("1")
		offer, err := ada.WaitCall(ctx, agentv1.CallState_CALL_STATE_OFFERED)
		if err != nil {
			t.Fatal(err)
		}
		leg, err := ada.Answer(ctx, offer, tone(1000))
		if err != nil {
			t.Fatal(err)
		}
		eventually(ctx, t, "both talk", func() error { return hears(call.Heard().Audio, 1000) })
		call.Hangup(ctx)
		leg.Close()
		if err := ada.WaitState(ctx, agentv1.AgentState_AGENT_STATE_WRAP_UP); err != nil {
			t.Fatal(err)
		}
		codes := ada.Codes()
		note := "Asked about the invoice of October; promised a corrected one."
		if err := ada.FinishWrapUp(ctx, offer.GetId(), codes[i%len(codes)].GetId(), note); err != nil {
			t.Fatal(err)
		}
		callID = offer.GetId()
		if err := ada.WaitState(ctx, agentv1.AgentState_AGENT_STATE_READY); err != nil {
			t.Fatal(err)
		}
	}
	if err := ada.NotReady(ctx, ""); err != nil {
		t.Fatal(err)
	}
	for range 2 { // given up in the queue
		call := tn.dial(ctx, t, ua, 0, nil)
		call.Press("1")
		eventually(ctx, t, "the caller waits", func() error { return music(call.Heard().Audio, 1000) })
		call.Hangup(ctx)
	}
	call := tn.dial(ctx, t, ua, 1, nil) // waits while pictures are taken
	call.Press("1")
	eventually(ctx, t, "the calls are in the cloud", func() error {
		r, err := tn.owner.Calls().ListCalls(ctx, &cloudv1.ListCallsRequest{PageSize: 50})
		if err == nil && len(r.GetCalls()) < 6 {
			err = fmt.Errorf("%d calls", len(r.GetCalls()))
		}
		return err
	})
	tn.record(ctx, t, callID)
	sites, err := tn.owner.Sites().ListSites(ctx, &cloudv1.ListSitesRequest{PageSize: 10})
	if err != nil || len(sites.GetSites()) == 0 {
		t.Fatalf("sites: %v %v", sites, err)
	}
	return tn, callID, sites.GetSites()[0].GetId()
}

// photographer walks through routes as several people.
type photographer struct {
	t       *testing.T
	c       *harness.Cluster
	dir     string
	browser *harness.Browser
	found   []finding
	count   int
}

// finding is what axe-core says about one route.
type finding struct {
	Who    string `json:"who"`
	Route  string `json:"route"`
	Scheme string `json:"scheme"`
	Rules  []struct {
		ID      string `json:"id"`
		Impact  string `json:"impact"`
		WCAG    bool   `json:"wcag"` // else good practice
		Help    string `json:"help"`
		Count   int    `json:"count"`
		Example string `json:"example"`
		Why     string `json:"why"`
	} `json:"rules"`
}

func (s *photographer) open(ctx context.Context, who, email string) *person {
	if email != "" {
		return signIn(ctx, s.t, s.browser, s.c, who, email)
	}
	page, err := s.browser.Open(ctx, "stranger", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &person{Page: page, name: "stranger", b: s.browser}
	p.do(ctx, s.t, "goto", harness.Args{"url": s.c.Web + "/sign-in"})
	return p
}

// take opens each route in each language and scheme and pictures it in each width.
func (s *photographer) take(ctx context.Context, who, email string, routes ...string) {
	p := s.open(ctx, who, email)
	for tag, locale := range screenLanguages {
		for _, scheme := range screenSchemes {
			s.as(ctx, p, locale, scheme)
			for _, route := range routes {
				p.do(ctx, s.t, "goto", harness.Args{"url": s.c.Web + route})
				s.shoot(ctx, p, who, route, scheme, tag)
			}
		}
	}
	s.complains(p, who)
	p.do(ctx, s.t, "close", nil)
}

// as sets what the browser remembers of language and scheme; the next page load has it.
func (s *photographer) as(ctx context.Context, p *person, locale, scheme string) {
	code := fmt.Sprintf(`localStorage.setItem('trunkline-locale', %q); localStorage.setItem('trunkline-scheme', %q)`, locale, scheme)
	p.do(ctx, s.t, "run", harness.Args{"code": code})
}

var unsafe = regexp.MustCompile(`[^a-z0-9]+`)

// id-like parts of an address say nothing in a file's name.
var idPart = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|\d{4,}`)

func (s *photographer) shoot(ctx context.Context, p *person, who, route, scheme, language string) {
	p.do(ctx, s.t, "settle", nil)
	name := strings.Trim(unsafe.ReplaceAllString(idPart.ReplaceAllString(route, "id"), "-"), "-")
	if who != "" {
		name = who + "-" + name
	}
	for _, width := range screenWidths {
		var wide float64
		if err := p.Do(ctx, "stretch", harness.Args{"width": width, "height": 900}, &wide); err != nil {
			s.t.Fatal(err)
		}
		if wide > 1 {
			s.t.Errorf("%s in %s at %d px is %.0f px too wide", name, language, width, wide)
		}
		file := filepath.Join(s.dir, fmt.Sprintf("%s-%s-%s-%d.png", name, scheme, language, width))
		p.do(ctx, s.t, "picture", harness.Args{"file": file})
		s.count++
	}
	p.do(ctx, s.t, "size", harness.Args{"width": screenWidths[0], "height": 900})
	if language != "en" {
		return
	}
	f := finding{Who: who, Route: route, Scheme: scheme}
	if err := p.Do(ctx, "axe", nil, &f.Rules); err != nil {
		s.t.Errorf("axe on %s: %v", route, err)
	} else if len(f.Rules) > 0 {
		s.found = append(s.found, f)
	}
}

// desktop pictures the agent's page in the states of a call.
func (s *photographer) desktop(ctx context.Context, tn *tenant, ua *carrier.Carrier) {
	if _, err := s.c.Invite(ctx, tn.owner, "cleo@"+tn.domain, "Cleo Agent", "agent"); err != nil {
		s.t.Fatal(err)
	}
	p := openDesktop(ctx, s.t, s.browser, s.c, "cleo@"+tn.domain)
	_, _, _ = p.answer(ctx, s.t) // who waited during all of the above
	s.everyLook(ctx, p, "talking")
	p.click(ctx, s.t, testid("hold"))
	s.everyLook(ctx, p, "held")
	p.click(ctx, s.t, testid("hangup"))
	p.wait(ctx, s.t, testid("finish"))
	s.everyLook(ctx, p, "wrap-up")
	p.click(ctx, s.t, testid("finish"))
	p.wait(ctx, s.t, testid("agent-state")+"[data-state=ready]")
	s.everyLook(ctx, p, "ready")
	p.click(ctx, s.t, `role=button[name=/^You: /]`)
	p.click(ctx, s.t, testid("open-check"))
	s.looks(ctx, p, "check", "light", "en")
	p.click(ctx, s.t, testid("check-close"))
	for _, scheme := range screenSchemes {
		s.as(ctx, p, "en", scheme)
		p.do(ctx, s.t, "reload", nil)
		p.wait(ctx, s.t, testid("agent-state")+"[data-state=ready]")
		call := tn.dial(ctx, s.t, ua, 0, nil)
		call.Press("1")
		p.wait(ctx, s.t, testid("offer-card"))
		s.looks(ctx, p, "offer", scheme, "en")
		call.Hangup(ctx)
		p.do(ctx, s.t, "wait", harness.Args{"on": testid("offer-card"), "state": "detached"})
	}
	s.complains(p, "agent")
}

func (s *photographer) everyLook(ctx context.Context, p *person, state string) {
	for tag, locale := range screenLanguages {
		for _, scheme := range screenSchemes {
			s.as(ctx, p, locale, scheme)
			p.do(ctx, s.t, "reload", nil)
			p.wait(ctx, s.t, testid("agent-state"))
			s.looks(ctx, p, state, scheme, tag)
		}
	}
	s.as(ctx, p, "en", "light")
	p.do(ctx, s.t, "reload", nil)
	p.wait(ctx, s.t, testid("agent-state"))
}

func (s *photographer) looks(ctx context.Context, p *person, state, scheme, language string) {
	s.shoot(ctx, p, "agent", "/desktop/"+state, scheme, language)
}

func (s *photographer) complains(p *person, who string) {
	for _, e := range s.browser.Events() {
		switch {
		case e.Page != p.name:
		case e.Event == "pageerror":
			s.t.Errorf("%s: %s", who, e.Text)
		case e.Event == "console" && !strings.HasSuffix(e.URL, "/Refresh"):
			s.t.Logf("%s console: %s %s", who, e.Text, e.URL)
		}
	}
}

// report writes what axe-core found next to the pictures and fails if it breaks WCAG.
func (s *photographer) report() {
	b, err := json.MarshalIndent(s.found, "", "  ")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "axe.json"), b, 0o600); err != nil {
		s.t.Fatal(err)
	}
	for _, f := range s.found {
		for _, r := range f.Rules {
			say := s.t.Logf
			if r.WCAG {
				say = s.t.Errorf
			}
			say("axe: %s %s %s: %s (%s, %d) %s", f.Who, f.Route, f.Scheme, r.ID, r.Impact, r.Count, r.Example)
		}
	}
	s.t.Logf("%d pictures in %s", s.count, s.dir)
}
