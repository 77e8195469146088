package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"text/tabwriter"
	"time"

	"trunkline/edge/enroll"
)

type statusCommand struct {
	Data string `type:"path" default:"/var/lib/trunkline-edge" help:"Directory of this node."`
	JSON bool   `name:"json" help:"Print what the node answers as it is."`
}

// status is the part of the node's answer that is shown.
type status struct {
	Node    string
	Version string
	Replica struct {
		State, Leader      string
		Voter              bool
		LastIndex, Applied uint64
		DiskStall          bool
		WriteP99           int64
		Clock              struct {
			Ahead int64
			Off   bool
		}
		Peers []struct {
			Name      string
			Up, Voter bool
			Lag       uint64
		}
	}
	Recording struct {
		Stopped      string
		Since        time.Time
		Free, Needed float64
	}
	Calls          int
	Agents         int
	Numbers        int
	CloudConnected bool      `json:"cloud_connected"`
	CloudSeenAt    time.Time `json:"cloud_seen_at"`
	Broken         []string  `json:"invariants_broken"`
}

const statusTimeout = 3 * time.Second

// Run asks the node on this machine.
func (c *statusCommand) Run(ctx context.Context) error {
	e, err := enroll.Load(c.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.Node().Listen.Metrics+"/status", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Printf("Node %s does not run: nothing answers at %s.\nStart it with trunkline-edge run --data %s; why it ended is in its log.\n",
			e.Node().Name, e.Node().Listen.Metrics, c.Data)
		return errSaid
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return err
	}
	if c.JSON {
		_, err := os.Stdout.Write(text)
		return err
	}
	var s status
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("what answers at %s is not this node: %w", e.Node().Listen.Metrics, err)
	}
	return s.print(os.Stdout, e)
}

func (s *status) print(to io.Writer, e *enroll.Enrolment) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	row := func(what, value string) { fmt.Fprintf(w, "%s\t%s\n", what, value) }
	role := s.Replica.State
	if role == "follower" && !s.Replica.Voter {
		role = "catching up, does not vote yet"
	}
	row("Node", fmt.Sprintf("%s of site %s, version %s", s.Node, e.Node().SiteName, s.Version))
	row("State", fmt.Sprintf("%s, leader %s, %d entries behind", role, orNone(s.Replica.Leader), s.Replica.LastIndex-min(s.Replica.LastIndex, s.Replica.Applied)))
	for _, p := range s.Replica.Peers {
		state := "down"
		if p.Up {
			state = "up"
		}
		if !p.Voter {
			state += ", does not vote"
		}
		row("Peer "+p.Name, fmt.Sprintf("%s, %d entries behind", state, p.Lag))
	}
	row("Calls", fmt.Sprint(s.Calls))
	row("Agents", fmt.Sprint(s.Agents))
	row("Numbers", numbers(s.Numbers))
	cloud := "connected"
	if !s.CloudConnected {
		cloud = "away since this node started"
		if s.CloudSeenAt.Year() > 1970 {
			cloud = "away since " + s.CloudSeenAt.Local().Format(time.DateTime)
		}
	}
	row("Cloud", cloud)
	if p99 := s.Replica.WriteP99; p99 > 0 {
		row("Disk", fmt.Sprintf("99 of 100 log writes take at most %.1f ms", float64(p99)/1000))
	}
	ahead := time.Duration(s.Replica.Clock.Ahead) * time.Microsecond
	row("Clock", apart(ahead)+" of most of the site's")
	row("Certificate", "until "+e.Certificate().Leaf.NotAfter.Local().Format(time.DateTime))
	if s.Replica.DiskStall {
		row("WRONG", "the disk does not take writes; another node leads")
	}
	if s.Replica.Clock.Off {
		row("WRONG", "the clock is "+apart(ahead)+" of most others: this node does not lead. Turn on time synchronisation: timedatectl set-ntp true")
	}
	switch r := s.Recording; r.Stopped {
	case "":
	case "disk_full":
		row("WRONG", fmt.Sprintf("nothing is recorded since %s: %.1f %% of the disk are free, %.0f %% must be. Free some space; calls go on",
			r.Since.Local().Format(time.DateTime), r.Free, r.Needed))
	default:
		row("WRONG", fmt.Sprintf("nothing is recorded since %s: the disk does not take it. Look at the node's log; calls go on",
			r.Since.Local().Format(time.DateTime)))
	}
	for _, b := range s.Broken {
		row("WRONG", b)
	}
	return w.Flush()
}

func numbers(n int) string {
	if n == 0 {
		return "none: every caller is refused with 404; give a tenant of this site a number"
	}
	return fmt.Sprintf("%d answered here", n)
}

// apart says how far a clock is from another.
func apart(ahead time.Duration) string {
	if ahead < 0 {
		return (-ahead).Round(time.Millisecond).String() + " behind"
	}
	return ahead.Round(time.Millisecond).String() + " ahead"
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
