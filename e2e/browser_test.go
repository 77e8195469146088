package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	"trunkline/internal/audio"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// TestBrowserAgent is TestCall with a person's eyes, ears and clicks: an agent
// takes a call in Chromium, loses the page during it and gets it back; the owner
// finds call, recording and report.
func TestBrowserAgent(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	tn := newTenant(ctx, t, c)
	if _, err := c.Invite(ctx, tn.owner, "ada@"+tn.domain, "Ada", "agent"); err != nil {
		t.Fatal(err)
	}
	b := browser(ctx, t, 1000, 400)
	agent := openDesktop(ctx, t, b, c, "ada@"+tn.domain)
	began := time.Now()
	call := tn.dial(ctx, t, ua, 0, tone(400))
	call.Press("1")
	id, shown, clicked := agent.answer(ctx, t, began)
	agent.hearsTone(ctx, t, clicked, 400, "answer_to_audio_ms", clicked)
	eventually(ctx, t, "the caller hears the agent", func() error { return hears(call.Heard().Audio, 1000) })

	agent.mutes(ctx, t, call)
	agent.holds(ctx, t, call)
	agent.reloads(ctx, t, call)

	agent.click(ctx, t, testid("hangup"))
	select {
	case <-call.Done():
	case <-ctx.Done():
		t.Fatal("the caller's line stays open after the agent hung up")
	}
	agent.wrapsUp(ctx, t)
	rec := tn.record(ctx, t, id)
	figureOffer(t, rec, shown)
	agent.complains(t)
	ownerFinds(ctx, t, b, c, tn, id, began)
}

// TestBrowserTestCall is the first hour of a new customer: the checklist, the
// hosted site in one click, a call to oneself from one browser to another.
func TestBrowserTestCall(t *testing.T) {
	c, _ := cluster(t)
	ctx := testContext(t, patience)
	n := tenants.Add(1)
	email := fmt.Sprintf("owner@company%d.example", n)
	if _, err := c.SignUp(ctx, email, fmt.Sprintf("Company %d", n), "en"); err != nil {
		t.Fatal(err)
	}
	callers := browser(ctx, t, 600, 1000)
	caller := signIn(ctx, t, callers, c, "caller", email)
	caller.click(ctx, t, `role=button[name="Use the hosted site"]`)
	caller.wait(ctx, t, "text=Hosted nodes")
	agents := browser(ctx, t, 1000, 600)
	agent := openDesktop(ctx, t, agents, c, email)
	caller.do(ctx, t, "goto", harness.Args{"url": c.Web + "/setup?step=test_call"})
	pressed := time.Now()
	caller.click(ctx, t, `role=button[name="Call me now"]`)
	caller.wait(ctx, t, "text=You hear the greeting")
	caller.click(ctx, t, `role=button[name="Key 1"]`)
	_, _, clicked := agent.answer(ctx, t, pressed)
	agent.hearsTone(ctx, t, clicked, 600, "test_call_to_agent_ms", clicked)
	caller.hearsTone(ctx, t, clicked, 1000, "test_call_to_caller_ms", clicked)
	t.Logf("FIGURE test_call_talking_ms %d ms", time.Since(pressed).Milliseconds())
	caller.wait(ctx, t, "text=You are talking")
	caller.click(ctx, t, `role=button[name=/hang up/i]`)
	caller.wait(ctx, t, "text=The call is over")
	agent.wrapsUp(ctx, t)
	agent.complains(t)
	caller.complains(t)
}

// person is a page with a failing test behind it.
type person struct {
	*harness.Page
	name string
	b    *harness.Browser
}

// browser starts Chromium whose microphone says a tone and which listens for others.
func browser(ctx context.Context, t *testing.T, says float64, listens ...int) *harness.Browser {
	t.Helper()
	return browserIn(ctx, t, nil, says, listens...)
}

// browserIn is browser in another network.
func browserIn(ctx context.Context, t *testing.T, ns *harness.Namespace, says float64, listens ...int) *harness.Browser {
	t.Helper()
	wav := filepath.Join(t.TempDir(), "says.wav")
	f, err := os.Create(wav)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeWAV48(f, says); err != nil {
		t.Fatal(err)
	}
	b, err := harness.StartBrowser(ctx, harness.BrowserOptions{Root: root(), Microphone: wav, Tones: listens, Namespace: ns})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// writeWAV48 writes one second of a tone at the rate Chromium's fake microphone reads: 48 kHz.
func writeWAV48(f *os.File, hz float64) error {
	// A tone of hz at 48 kHz has the samples of one of hz/6 at 8 kHz.
	pcm := audio.Tone(hz/6, -12, 48000)
	head := audio.WAVHeader(1, int64(len(pcm)))
	for i, v := range []uint32{48000, 96000} { // sample rate, bytes per second
		for j := range 4 {
			head[24+4*i+j] = byte(v >> (8 * j))
		}
	}
	for _, s := range pcm {
		head = append(head, byte(s), byte(s>>8))
	}
	if _, err := f.Write(head); err != nil {
		return err
	}
	return f.Close()
}

func testid(id string) string { return "[data-testid=" + id + "]" }

func signIn(ctx context.Context, t *testing.T, b *harness.Browser, c *harness.Cluster, name, email string) *person {
	t.Helper()
	page, err := b.Open(ctx, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{Page: page, name: name, b: b}
	p.do(ctx, t, "goto", harness.Args{"url": c.Web + "/sign-in"})
	p.fill(ctx, t, "input[type=email]", email)
	p.fill(ctx, t, "input[type=password]", harness.Password)
	p.click(ctx, t, "button[type=submit]")
	p.do(ctx, t, "wait", harness.Args{"on": "input[type=password]", "state": "detached"})
	return p
}

// openDesktop signs in at the cloud, follows to the desktop at the site, checks
// the microphone and goes ready.
func openDesktop(ctx context.Context, t *testing.T, b *harness.Browser, c *harness.Cluster, email string) *person {
	t.Helper()
	p := signIn(ctx, t, b, c, "agent", email)
	at := c.Web + "/sign-in"
	eventually(ctx, t, "signing in leads home", func() error {
		if err := p.Do(ctx, "address", nil, &at); err != nil {
			return err
		}
		if strings.HasPrefix(at, c.Web+"/sign-in") {
			return fmt.Errorf("the page is %s", at)
		}
		return nil
	})
	// An agent's home is the desktop, and asking for it once more would cut off the way there.
	if strings.HasPrefix(at, c.Web) && at != c.Web+"/desktop" {
		p.do(ctx, t, "goto", harness.Args{"url": c.Web + "/desktop"})
	}
	p.wait(ctx, t, testid("agent-state"))
	if err := p.Do(ctx, "address", nil, &at); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(at, c.Web) || strings.Contains(at, "grant=") {
		t.Errorf("the desktop is at %s, want a node's address without the grant", at)
	}
	p.click(ctx, t, `role=button[name=/^You: /]`)
	p.click(ctx, t, testid("open-check"))
	for _, id := range []string{"microphone", "level", "site"} {
		p.wait(ctx, t, testid("check-"+id)+"[data-tone=ready]")
	}
	p.click(ctx, t, testid("check-close"))
	p.click(ctx, t, testid("ready"))
	// Or on to a call that waits.
	p.wait(ctx, t, testid("agent-state")+":not([data-state=not_ready], [data-state=offline])")
	return p
}

func (p *person) do(ctx context.Context, t *testing.T, do string, args harness.Args) {
	t.Helper()
	if err := p.Do(ctx, do, args, nil); err != nil {
		p.picture(t)
		t.Fatal(err)
	}
}

// picture leaves what was on the screen next to the cluster's logs.
func (p *person) picture(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	file := filepath.Join(root(), ".out", "e2e", t.Name()+"-"+p.name+".png")
	if p.Do(ctx, "picture", harness.Args{"file": file}, nil) == nil {
		t.Log("the screen is in " + file)
	}
	for _, e := range p.b.Events() {
		if e.Event == "pageerror" || e.Event == "console" && !strings.HasSuffix(e.URL, "/Refresh") {
			t.Logf("%s: %s %s", e.Page, e.Text, e.URL)
		}
	}
}

func (p *person) click(ctx context.Context, t *testing.T, on string) {
	t.Helper()
	p.do(ctx, t, "click", harness.Args{"on": on})
}

func (p *person) wait(ctx context.Context, t *testing.T, on string) {
	t.Helper()
	p.do(ctx, t, "wait", harness.Args{"on": on})
}

func (p *person) fill(ctx context.Context, t *testing.T, on, text string) {
	t.Helper()
	p.do(ctx, t, "fill", harness.Args{"on": on, "text": text})
}

// event waits at most a minute.
func (p *person) event(ctx context.Context, t *testing.T, since time.Time, what string, is func(harness.PageEvent) bool) harness.PageEvent {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	e, err := p.Event(ctx, since, is)
	if err != nil {
		p.picture(t)
		t.Fatalf("%s: %s: %v; heard %+v", p.name, what, err, p.b.Events())
	}
	return e
}

// answer waits for an offer made since, and clicks once its audio leg is
// connected: a hand on the mouse is slower. It returns the call, when its card
// was shown and when the click came.
func (p *person) answer(ctx context.Context, t *testing.T, since time.Time) (id string, shown, clicked time.Time) {
	t.Helper()
	card := p.event(ctx, t, since, "an offer", func(e harness.PageEvent) bool { return e.Event == "offer" })
	p.event(ctx, t, since, "a leg", func(e harness.PageEvent) bool { return e.Event == "leg" && e.What == "connected" })
	p.click(ctx, t, testid("accept"))
	click := p.event(ctx, t, card.Time(), "the click", func(e harness.PageEvent) bool { return e.Event == "click" && e.What == "accept" })
	p.wait(ctx, t, testid("talk-strip"))
	return card.Call, card.Time(), click.Time()
}

// hearsTone waits until the page hears the tone and prints how long after from it began.
func (p *person) hearsTone(ctx context.Context, t *testing.T, since time.Time, hz int, figure string, from time.Time) {
	t.Helper()
	e := p.event(ctx, t, since, fmt.Sprintf("hears %d Hz", hz), func(e harness.PageEvent) bool { return e.Event == "hears" && e.Tone == hz })
	t.Logf("FIGURE %s %d ms", figure, e.Time().Sub(from).Milliseconds())
}

// silent tells whether the newest second is silence.
func silent(ulaw []byte) error {
	if len(ulaw) < window {
		return fmt.Errorf("only %d samples heard", len(ulaw))
	}
	if all := audio.Level(audio.AppendPCM(nil, ulaw[len(ulaw)-window:])); all > -50 {
		return fmt.Errorf("heard %.1f dB", all)
	}
	return nil
}

// music tells whether the newest second is loud and not the tone.
func music(ulaw []byte, not float64) error {
	if len(ulaw) < window {
		return fmt.Errorf("only %d samples heard", len(ulaw))
	}
	pcm := audio.AppendPCM(nil, ulaw[len(ulaw)-window:])
	all, at := audio.Level(pcm), audio.ToneLevel(pcm, not)
	if all < -45 || at > all-10 {
		return fmt.Errorf("heard %.1f dB, of which %.0f Hz %.1f dB", all, not, at)
	}
	return nil
}

func (p *person) mutes(ctx context.Context, t *testing.T, call *carrier.Call) {
	t.Helper()
	p.click(ctx, t, testid("mute"))
	eventually(ctx, t, "the caller hears nothing of a muted agent", func() error { return silent(call.Heard().Audio) })
	p.click(ctx, t, testid("mute"))
	eventually(ctx, t, "the caller hears the agent again", func() error { return hears(call.Heard().Audio, 1000) })
}

func (p *person) holds(ctx context.Context, t *testing.T, call *carrier.Call) {
	t.Helper()
	p.click(ctx, t, testid("hold"))
	p.wait(ctx, t, testid("hold")+"[aria-pressed=true]")
	eventually(ctx, t, "the caller on hold hears music", func() error { return music(call.Heard().Audio, 1000) })
	p.click(ctx, t, testid("hold"))
	p.wait(ctx, t, testid("hold")+"[aria-pressed=false]")
	eventually(ctx, t, "the caller hears the agent after hold", func() error { return hears(call.Heard().Audio, 1000) })
}

// reloads loses the page during the call. How soon the audio is back is a figure:
// on a busy machine it says nothing of the product.
func (p *person) reloads(ctx context.Context, t *testing.T, call *carrier.Call) {
	t.Helper()
	began := time.Now()
	p.do(ctx, t, "reload", nil)
	e := p.event(ctx, t, began, "audio after a reload", func(e harness.PageEvent) bool { return e.Event == "hears" && e.Tone == 400 })
	t.Logf("FIGURE reload_audio_ms %d ms", e.Time().Sub(began).Milliseconds())
	p.wait(ctx, t, testid("talk-strip"))
	eventually(ctx, t, "the caller hears the agent after a reload", func() error { return hears(call.Heard().Audio, 1000) })
}

func (p *person) wrapsUp(ctx context.Context, t *testing.T) {
	t.Helper()
	p.wait(ctx, t, testid("agent-state")+"[data-state=wrap_up]")
	p.do(ctx, t, "choose", harness.Args{"on": "select" + testid("wrap-up-code"), "index": 1})
	p.fill(ctx, t, "textarea"+testid("wrap-up-note"), "asked about the invoice")
	p.click(ctx, t, testid("finish"))
	p.wait(ctx, t, testid("agent-state")+"[data-state=ready]")
}

// complains fails on errors the page threw, and names what its console said.
func (p *person) complains(t *testing.T) {
	t.Helper()
	for _, e := range p.b.Events() {
		switch {
		case e.Page != p.name:
		case e.Event == "pageerror":
			t.Errorf("%s: %s", p.name, e.Text)
		case e.Event == "console" && !strings.HasSuffix(e.URL, "/Refresh"): // 401 is how a stranger is told
			t.Logf("%s console: %s %s", p.name, e.Text, e.URL)
		}
	}
}

// record waits for the whole record of a call in the cloud.
func (tn *tenant) record(ctx context.Context, t *testing.T, id string) *cloudv1.Call {
	t.Helper()
	var rec *cloudv1.Call
	eventually(ctx, t, "the record is in the cloud", func() (err error) {
		rec, err = tn.owner.Calls().GetCall(ctx, &cloudv1.GetCallRequest{Id: id})
		if err == nil && (rec.GetWrapUpCode() == "" || len(rec.GetRecordings()) == 0 || rec.GetRecordings()[0].GetStatus() != "stored") {
			err = fmt.Errorf("not whole yet: %v", rec)
		}
		return err
	})
	return rec
}

func figureOffer(t *testing.T, rec *cloudv1.Call, shown time.Time) {
	t.Helper()
	for _, e := range rec.GetEvents() {
		if e.GetKind() == "offered" {
			t.Logf("FIGURE offer_shown_ms %d ms", shown.Sub(e.GetAt().AsTime()).Milliseconds())
			return
		}
	}
	t.Errorf("no offer in the record: %v", rec.GetEvents())
}

// ownerFinds looks the call up as its owner: in the history, by ear, in the report.
func ownerFinds(ctx context.Context, t *testing.T, b *harness.Browser, c *harness.Cluster, tn *tenant, id string, began time.Time) {
	t.Helper()
	p := signIn(ctx, t, b, c, "owner", tn.owner.Email)
	p.do(ctx, t, "goto", harness.Args{"url": c.Web + "/calls"})
	p.wait(ctx, t, testid("call-table")+" >> text=Ada")
	p.do(ctx, t, "goto", harness.Args{"url": c.Web + "/calls/" + id})
	p.wait(ctx, t, testid("timeline"))
	p.click(ctx, t, testid("listen"))
	p.click(ctx, t, testid("play"))
	eventually(ctx, t, "the recording plays", func() error {
		var at float64
		err := p.Do(ctx, "run", harness.Args{"code": `document.querySelector('[data-testid=recording-audio]').currentTime`}, &at)
		if err == nil && at < 0.5 {
			err = fmt.Errorf("at %.2f s", at)
		}
		return err
	})
	eventually(ctx, t, "the report counts the call", func() error {
		r, err := tn.owner.Reports().QueueReport(ctx, &cloudv1.QueueReportRequest{
			From: timestamppb.New(began.Add(-time.Hour)), To: timestamppb.New(began.Add(time.Hour)),
		})
		if err == nil && r.GetTotal().GetAnswered() != 1 {
			err = fmt.Errorf("total %v", r.GetTotal())
		}
		return err
	})
	p.do(ctx, t, "goto", harness.Args{"url": c.Web + "/reports/queues"})
	p.wait(ctx, t, "main >> text=/Service level/")
	p.do(ctx, t, "settle", nil)
	var text string
	if err := p.Do(ctx, "text", harness.Args{"on": "main"}, &text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "100") || !strings.Contains(text, "Offered\n1") {
		t.Errorf("the report does not show one offered call answered in time:\n%s", text)
	}
	p.complains(t)
}
