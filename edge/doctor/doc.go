// Package doctor checks a machine from outside of the node: names, clock, ports,
// addresses, disk, SIP, certificate, peers and cloud. It works with the node
// running, stopped or not yet joined, never changes anything, and ends within
// ten seconds. Each finding that is not good comes with what to do about it.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"trunkline/edge/enroll"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// State says how a check came out.
type State string

// The states of a Finding.
const (
	OK      State = "ok"
	Warning State = "warning" // works, but will not for long, or not for everybody
	Failed  State = "failed"
	Skipped State = "skipped" // something it needs is not there
)

// Finding is what one check found.
type Finding struct {
	Check   string `json:"check"` // "dns", "clock", "sip", ...
	State   State  `json:"state"`
	Message string `json:"message"`
	// Fix says what to do; empty when there is nothing to do.
	Fix string `json:"fix,omitempty"`
}

// Options say what is checked.
type Options struct {
	Dir   string // the node's directory; it need not have joined
	Cloud string // the cloud's web address; "" = the one the node joined with
	Token string // a join token to look at; "" = none
}

const (
	// TotalTime bounds everything; what is not done by then is a failure.
	TotalTime = 10 * time.Second
	checkTime = 6 * time.Second
)

// patient is the machine under examination.
type patient struct {
	Options
	enrolment *enroll.Enrolment // nil = has not joined
	loadErr   error
	site      *edgev1.SiteConfig // empty when it is not known
	cloud     *url.URL           // nil = not known
	cloudErr  error
	running   bool // the node answers on its metrics address

	// discovered is filled by the first check that asks the cloud.
	discover func() (enroll.Discovered, error)
}

type check struct {
	name string
	run  func(ctx context.Context, p *patient) []Finding
}

var checks = []check{
	{"joined", joined},
	{"dns", dns},
	{"cloud", cloud},
	{"clock", clock},
	{"node port", nodePort},
	{"certificate", certificate},
	{"token", token},
	{"ports", ports},
	{"addresses", addresses},
	{"peers", peers},
	{"sip", ownSIP},
	{"trunks", trunks},
	{"disk space", diskSpace},
	{"disk speed", diskSpeed},
}

// Run makes all checks at once and gives their findings in a fixed order.
func Run(ctx context.Context, o Options) []Finding {
	ctx, cancel := context.WithTimeout(ctx, TotalTime)
	defer cancel()
	p := examine(ctx, o)
	found := make([][]Finding, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { found[i] = within(ctx, c, p) })
	}
	wg.Wait()
	return slices.Concat(found...)
}

// Bad says whether a finding is a failure.
func Bad(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.State == Failed })
}

// within runs one check and gives up on it when its time is over: a hung disk or
// resolver must not hang the doctor.
func within(ctx context.Context, c check, p *patient) []Finding {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	out := make(chan []Finding, 1)
	go func() { out <- c.run(ctx, p) }()
	var found []Finding
	select {
	case found = <-out:
	case <-afterGrace(ctx):
		found = []Finding{failed("This check did not come to an end.", "Look at the machine's load and disks, then run the doctor again.")}
	}
	for i := range found {
		found[i].Check = c.name
	}
	return found
}

// afterGrace gives a check that minds its context a moment to say so itself.
func afterGrace(ctx context.Context) <-chan struct{} {
	late := make(chan struct{})
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, func() { close(late) }) })
	return late
}

func examine(ctx context.Context, o Options) *patient {
	p := &patient{Options: o, site: &edgev1.SiteConfig{}}
	p.enrolment, p.loadErr = enroll.Load(o.Dir)
	address := o.Cloud
	if p.loadErr == nil {
		if address == "" {
			address = p.enrolment.Node().Cloud
		}
		if site, err := p.enrolment.SiteConfig(); err == nil {
			p.site = site
		}
		p.running = answers(ctx, p.enrolment.Node().Listen.Metrics)
	}
	p.cloudErr = errors.New("no cloud is known: give --cloud")
	if address != "" {
		p.cloud, p.cloudErr = enroll.ParseCloud(address)
	}
	p.discover = sync.OnceValues(func() (enroll.Discovered, error) {
		if p.cloudErr != nil {
			return enroll.Discovered{}, p.cloudErr
		}
		ctx, cancel := context.WithTimeout(ctx, checkTime)
		defer cancel()
		return enroll.Discover(ctx, nil, p.cloud)
	})
	return p
}

func ok(format string, args ...any) Finding {
	return Finding{State: OK, Message: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) Finding {
	return Finding{State: Skipped, Message: fmt.Sprintf(format, args...)}
}

func failed(message, fix string) Finding { return Finding{State: Failed, Message: message, Fix: fix} }

func warning(message, fix string) Finding { return Finding{State: Warning, Message: message, Fix: fix} }

func joined(_ context.Context, p *patient) []Finding {
	switch {
	case p.loadErr == nil:
		n := p.enrolment.Node()
		state := "it does not run now"
		if p.running {
			state = "it runs"
		}
		return []Finding{ok("Node %s of site %s; %s.", n.Name, n.SiteName, state)}
	case errors.Is(p.loadErr, enroll.ErrNotJoined):
		return []Finding{skipped("%s has not joined a site.", p.Dir)}
	default:
		return []Finding{failed(fmt.Sprintf("%s can not be used: %v.", p.Dir, p.loadErr), "Join again with --force and a new token; as another user than the node's, run the doctor as root.")}
	}
}

// list joins words for a sentence.
func list(words []string) string { return strings.Join(words, ", ") }
