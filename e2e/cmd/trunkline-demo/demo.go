package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	"trunkline/internal/durable"
)

const (
	endpointsFile = "endpoints.json"
	peopleFile    = "people.json"
	lockFile      = "lock"
	demoNumber    = "+498912345600"
	adminEmail    = "admin@platform.example"
	// restartAfter is how long a killed program stays away.
	restartAfter = 10 * time.Second
)

type demo struct {
	cluster *harness.Cluster
	carrier *carrier.Carrier
	dir     string
	log     *demoLog

	mu sync.Mutex // of the endpoints file
}

func (d *demo) file(name string) string { return filepath.Join(d.dir, name) }

// forgetHalf removes what a first start left behind that did not come to its
// end: nobody has worked with it yet.
func (d *demo) forgetHalf() error {
	if _, err := os.Stat(d.file(peopleFile)); err == nil {
		return nil
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockFile {
			continue
		}
		if err := os.RemoveAll(d.file(e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// login is one person in endpoints.json.
type login struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

type users struct {
	Platform   login   `json:"platform"`
	Owner      login   `json:"owner"`
	Supervisor login   `json:"supervisor"`
	Agents     []login `json:"agents"`
}

func who(email string) login { return login{Email: email, Password: harness.Password} }

var demoUsers = users{
	Platform: who(adminEmail), Owner: who("owner@demo.example"), Supervisor: who("supervisor@demo.example"),
	Agents: []login{who("ada@demo.example"), who("bo@demo.example")},
}

// people makes the platform admin and the demo tenant once, by the same steps
// a person takes: sign up, read the mail, invite, accept.
func (d *demo) people(ctx context.Context) error {
	mark := d.file(peopleFile)
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	d.log.say("signing up the demo tenant")
	c := d.cluster
	if _, err := c.CloudCommand(ctx, harness.Password+"\n", "admin", "create", "--email", adminEmail, "--password-stdin"); err != nil {
		return err
	}
	owner, err := c.SignUp(ctx, demoUsers.Owner.Email, "Demo Company", "en")
	if err != nil {
		return err
	}
	if err := c.UseHostedSite(ctx, owner, demoNumber); err != nil {
		return err
	}
	if _, err := c.Invite(ctx, owner, demoUsers.Supervisor.Email, "Sasha Supervisor", "supervisor"); err != nil {
		return err
	}
	for i, name := range []string{"Ada Agent", "Bo Agent"} {
		if _, err := c.Invite(ctx, owner, demoUsers.Agents[i].Email, name, "agent"); err != nil {
			return err
		}
	}
	return writeJSON(mark, demoUsers)
}

// numberKnown waits until every node answers for the demo's number: a call that
// came earlier would be refused.
func (d *demo) numberKnown(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for _, n := range d.cluster.Nodes {
		for {
			known, err := n.Numbers(ctx)
			if known > 0 {
				break
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("%s does not know its number: %w", n.Name, errors.Join(ctx.Err(), err))
			}
		}
	}
	return nil
}

// endpoints is the contract for scripts.
type endpoints struct {
	Web      string         `json:"web"`
	Mailbox  string         `json:"mailbox"`
	SIP      []sipEndpoint  `json:"sip"`
	Number   string         `json:"number"`
	Users    users          `json:"users"`
	Nodes    []nodeEndpoint `json:"nodes"`
	Postgres string         `json:"postgres"`
}

type sipEndpoint struct {
	Site string `json:"site"`
	Node string `json:"node"`
	UDP  string `json:"udp"`
	TCP  string `json:"tcp"`
}

type nodeEndpoint struct {
	Site string `json:"site"`
	Name string `json:"name"`
	PID  int    `json:"pid"`
	URL  string `json:"url"`
}

func (d *demo) writeEndpoints() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := endpoints{
		Web: d.cluster.Web, Mailbox: "http://" + d.cluster.Mailbox.WebAddr(), Number: demoNumber,
		Users: demoUsers, Postgres: d.cluster.Postgres,
	}
	for _, n := range d.cluster.Nodes {
		e.SIP = append(e.SIP, sipEndpoint{Site: harness.SiteName, Node: n.Name, UDP: n.Ready.SIPUDP, TCP: n.Ready.SIPTCP})
		e.Nodes = append(e.Nodes, nodeEndpoint{Site: harness.SiteName, Name: n.Name, PID: d.cluster.Process(n).PID(), URL: n.Ready.Web})
	}
	return writeJSON(d.file(endpointsFile), e)
}

func writeJSON(path string, v any) error {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetIndent("", "  ")
	to.SetEscapeHTML(false) // an address is to be read as it is
	if err := to.Encode(v); err != nil {
		return err
	}
	return durable.WriteFile(path, b.Bytes())
}

func (d *demo) welcome(took time.Duration) {
	calls := fmt.Sprintf("the carrier calls every %.0f s.", callEvery.Seconds())
	if carrierOff() {
		calls = "the carrier calls only when told to."
	}
	fmt.Printf(`
  Trunkline is running (started in %.1f s).

    Web app      %s
    Mailbox      http://%s
    Number       %s   (SIP: %s, %s, %s)

    Platform     %s
    Owner        %s
    Supervisor   %s
    Agents       %s, %s
    Password     %s   (the same for all)

  Sign in as an agent, open the desktop and go ready: %s
  "make demo-carrier" places a call now. Ctrl-C stops; state stays.

`, took.Seconds(), d.cluster.Web, d.cluster.Mailbox.WebAddr(), demoNumber,
		d.cluster.Nodes[0].Ready.SIPUDP, d.cluster.Nodes[1].Ready.SIPUDP, d.cluster.Nodes[2].Ready.SIPUDP,
		demoUsers.Platform.Email, demoUsers.Owner.Email, demoUsers.Supervisor.Email,
		demoUsers.Agents[0].Email, demoUsers.Agents[1].Email, harness.Password, calls)
}

// program is a node or the cloud, to be started again when it is gone.
type program struct {
	name    string
	process func() *harness.Process
	start   func(context.Context) error
}

// watch starts killed programs again until ctx ends.
func (d *demo) watch(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { d.keep(ctx, program{"cloud", d.cluster.Cloud, d.cluster.StartCloud}) })
	for _, n := range d.cluster.Nodes {
		wg.Go(func() {
			d.keep(ctx, program{
				n.Name, func() *harness.Process { return d.cluster.Process(n) },
				func(ctx context.Context) error { return d.cluster.RunNode(ctx, n) },
			})
		})
	}
	<-ctx.Done()
	wg.Wait()
}

func (d *demo) keep(ctx context.Context, p program) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.process().Done():
		}
		if os.Getenv("DEMO_RESTART") == "off" {
			d.log.say("%s is gone and stays away (DEMO_RESTART=off)", p.name)
			return
		}
		d.log.say("%s is gone; it starts again in %s", p.name, restartAfter)
		select {
		case <-ctx.Done():
			return
		case <-time.After(restartAfter):
		}
		starting, cancel := context.WithTimeout(ctx, time.Minute)
		err := p.start(starting)
		cancel()
		if err == nil {
			err = d.writeEndpoints()
		}
		if err != nil && ctx.Err() == nil {
			d.log.say("%s: %v", p.name, err)
		}
	}
}
