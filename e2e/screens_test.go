package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// Where people look at pages: in each language, scheme and width. The pictures
// are kept in .out/screens.
var (
	screenLanguages = []string{"en", "zh-Hans"}
	screenSchemes   = []string{"light", "dark"}
	screenWidths    = []int{1440, 390}
)

// TestScreens takes a picture of every route, with the data of a day, empty and
// while the cloud is away, and asks axe-core about each in every language and
// scheme. It fails on what breaks WCAG; pictures are for people.
func TestScreens(t *testing.T) {
	if !*screens {
		t.Skip("only with -screens")
	}
	c, ua := cluster(t)
	ctx := testContext(t, 25*time.Minute)
	dir := filepath.Join(root(), ".out", "screens")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	makeAdmin(ctx, t, c)
	tn, callID, siteID := tenantWithADay(ctx, t, c, ua)
	s := &photographer{t: t, c: c, dir: dir}
	s.browser = browser(ctx, t, 1000, 400)
	defer s.report()

	s.desktop(ctx, tn, ua)
	for _, v := range visits(tn, callID, siteID) {
		s.take(ctx, v, "", false)
	}
	s.take(ctx, visit{"owner", tn.owner.Email, []string{"/setup", "/wallboard", "/calls", "/reports/queues", "/sites", "/flow", "/members"}},
		"error", true)
	fresh, err := c.SignUp(ctx, "new@fresh.example", "Fresh Company", "en")
	if err != nil {
		t.Fatal(err)
	}
	s.take(ctx, emptyVisit(fresh.Email), "", false)
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
	return tn, callID, tn.site(ctx, t)
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
	Locale string `json:"locale"`
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

// open signs the visitor in.
func (v visit) open(ctx context.Context, t *testing.T, b *harness.Browser, c *harness.Cluster) *person {
	t.Helper()
	if v.email != "" {
		return signIn(ctx, t, b, c, v.who, v.email)
	}
	page, err := b.Open(ctx, "stranger", nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{Page: page, name: "stranger", b: b}
	p.do(ctx, t, "goto", harness.Args{"url": c.Web + "/sign-in"})
	return p
}

// looksAs sets the scheme at once and the language of the next page.
func (p *person) looksAs(ctx context.Context, t *testing.T, l look) {
	t.Helper()
	p.do(ctx, t, "scheme", harness.Args{"scheme": l.scheme})
	p.do(ctx, t, "run", harness.Args{"code": fmt.Sprintf(`localStorage.setItem('trunkline-locale', %q)`, l.locale)})
}

// take opens each route in each language and pictures it in each scheme and
// width; cut off, it is what people see while the cloud is away.
func (s *photographer) take(ctx context.Context, v visit, state string, cut bool) {
	p := v.open(ctx, s.t, s.browser, s.c)
	if cut {
		p.do(ctx, s.t, "cut", nil)
	}
	for _, locale := range screenLanguages {
		for _, route := range v.routes {
			p.looksAs(ctx, s.t, look{locale, screenSchemes[0]})
			p.do(ctx, s.t, "goto", harness.Args{"url": s.c.Web + route})
			for _, scheme := range screenSchemes {
				s.shoot(ctx, p, v.who, route+state, look{locale, scheme})
			}
		}
	}
	if !cut {
		s.complains(p, v.who)
	}
	p.do(ctx, s.t, "close", nil)
}

var unsafe = regexp.MustCompile(`[^a-z0-9]+`)

// id-like parts of an address say nothing in a file's name.
var idPart = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|\d{4,}`)

func (s *photographer) shoot(ctx context.Context, p *person, who, route string, l look) {
	p.do(ctx, s.t, "scheme", harness.Args{"scheme": l.scheme})
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
			s.t.Errorf("%s in %s at %d px is %.0f px too wide", name, l.locale, width, wide)
		}
		language, _, _ := strings.Cut(l.locale, "-")
		file := filepath.Join(s.dir, fmt.Sprintf("%s-%s-%s-%d.png", name, l.scheme, language, width))
		p.do(ctx, s.t, "picture", harness.Args{"file": file})
		s.count++
	}
	p.do(ctx, s.t, "size", harness.Args{"width": screenWidths[0], "height": 900})
	s.found = append(s.found, p.breaks(ctx, s.t, who, route, l)...)
}

// desktop pictures the agent's page in the states of a call.
func (s *photographer) desktop(ctx context.Context, tn *tenant, ua *carrier.Carrier) {
	if _, err := s.c.Invite(ctx, tn.owner, "cleo@"+tn.domain, "Cleo Agent", "agent"); err != nil {
		s.t.Fatal(err)
	}
	p := openDesktop(ctx, s.t, s.browser, s.c, "cleo@"+tn.domain)
	_, _, _ = p.answer(ctx, s.t, time.Time{}) // who has waited since the day was made
	s.inAll(ctx, p, "talking", func() {})
	s.inAll(ctx, p, "passing-on", func() {
		p.press(ctx, s.t, "t")
		p.wait(ctx, s.t, testid("transfer-queue"))
	})
	p.press(ctx, s.t, "Escape")
	p.click(ctx, s.t, testid("hold"))
	s.inAll(ctx, p, "held", func() {})
	p.click(ctx, s.t, testid("hangup"))
	p.wait(ctx, s.t, testid("finish"))
	s.inAll(ctx, p, "wrap-up", func() {})
	p.click(ctx, s.t, testid("finish"))
	p.wait(ctx, s.t, testid("agent-state")+"[data-state=ready]")
	s.inAll(ctx, p, "ready", func() {})
	s.inAll(ctx, p, "check", func() { s.openCheck(ctx, p) })
	p.click(ctx, s.t, testid("check-close"))
	for _, locale := range screenLanguages {
		s.as(ctx, p, locale)
		p.wait(ctx, s.t, testid("agent-state")+"[data-state=ready]")
		call := tn.dial(ctx, s.t, ua, 0, nil)
		call.Press("1")
		p.wait(ctx, s.t, testid("offer-card"))
		for _, scheme := range screenSchemes {
			s.shoot(ctx, p, "agent", "/desktop/offer", look{locale, scheme})
		}
		call.Hangup(ctx)
		p.do(ctx, s.t, "wait", harness.Args{"on": testid("offer-card"), "state": "detached"})
	}
	s.siteMode(ctx, p)
	s.complains(p, "agent")
}

// openCheck opens the microphone check by what is the same in every language.
func (s *photographer) openCheck(ctx context.Context, p *person) {
	p.click(ctx, s.t, "button:has("+testid("agent-name")+")")
	p.click(ctx, s.t, testid("open-check"))
	p.wait(ctx, s.t, testid("check-close"))
}

// siteMode is the desktop while the cloud hangs.
func (s *photographer) siteMode(ctx context.Context, p *person) {
	signal(s.t, s.c, syscall.SIGSTOP)
	defer signal(s.t, s.c, syscall.SIGCONT)
	p.do(ctx, s.t, "wait", harness.Args{"on": testid("site-mode"), "ms": 30_000})
	s.shoot(ctx, p, "agent", "/desktop/site-mode", look{screenLanguages[len(screenLanguages)-1], "light"})
	s.shoot(ctx, p, "agent", "/desktop/site-mode", look{screenLanguages[len(screenLanguages)-1], "dark"})
}

// as reloads the desktop in a language.
func (s *photographer) as(ctx context.Context, p *person, locale string) {
	p.looksAs(ctx, s.t, look{locale, screenSchemes[0]})
	p.do(ctx, s.t, "reload", nil)
	p.wait(ctx, s.t, testid("agent-state"))
}

// inAll pictures one state of the desktop in each language and scheme. What a
// reload loses, again brings back.
func (s *photographer) inAll(ctx context.Context, p *person, state string, again func()) {
	for _, locale := range screenLanguages {
		if again != nil || locale != screenLanguages[0] {
			s.as(ctx, p, locale)
		}
		if again != nil {
			again()
		}
		for _, scheme := range screenSchemes {
			s.shoot(ctx, p, "agent", "/desktop/"+state, look{locale, scheme})
		}
	}
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
	tell(s.t, s.found)
	s.t.Logf("%d pictures in %s", s.count, s.dir)
}

// tell names what axe-core found; it fails the test where a rule of WCAG is broken.
func tell(t *testing.T, found []finding) {
	t.Helper()
	for _, f := range found {
		for _, r := range f.Rules {
			say := t.Logf
			if r.WCAG {
				say = t.Errorf
			}
			say("axe: %s %s %s %s: %s (%s, %d) %s %s", f.Who, f.Route, f.Locale, f.Scheme, r.ID, r.Impact, r.Count, r.Example, r.Why)
		}
	}
}
