package sites

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// Bounds of what one tenant may have.
const (
	maxSites      = 50
	maxTrunks     = 100 // at a site
	maxNumbers    = 10_000
	maxOpenTokens = 20 // of a site, not spent and not expired
)

// upFor is how long a node counts as up after it reported.
const upFor = 10 * time.Second

// tokenLife is how long a join token may be spent.
const tokenLife = 15 * time.Minute

// site is a row of sites.
type site struct {
	TenantID  int64 // the owner; 0 = the platform
	ID        string
	Name      string
	CreatedAt time.Time
}

func (s site) hosted() bool { return s.TenantID == 0 }

// node is a row of nodes, as far as it is shown.
type node struct {
	SiteID               string
	Name                 string
	NodeAddr             string
	WebURL               string `db:"web_url"`
	Version              string
	CertificateExpiresAt time.Time
	SeenAt               *time.Time
	StartedAt            *time.Time
	Leader               bool
	Voter                bool
	Lag                  int64
	DiskFreeBytes        int64
	DiskTotalBytes       int64
	Calls                int32
	FactsWaiting         int64
	RecordingsWaiting    int64
	ClockOffsetUs        int64
	ClockOffUs           int64
	recordingState
}

// recordingState is whether a node records, columns of nodes.
type recordingState struct {
	RecordingStopped       string
	RecordingStoppedAt     *time.Time
	RecordingFreePercent   float32
	RecordingNeededPercent float32
}

func (n node) status(now time.Time) string {
	switch {
	case n.SeenAt == nil:
		return "joining"
	case now.Sub(*n.SeenAt) <= upFor:
		return "up"
	}
	return "down"
}

// siteStatus sums up the nodes of a site.
func siteStatus(nodes []node, now time.Time) string {
	up, known, recording := 0, 0, true
	for _, n := range nodes {
		switch n.status(now) {
		case "up":
			up++
			known++
			recording = recording && n.RecordingStopped == ""
		case "down":
			known++
		}
	}
	switch {
	case known == 0:
		return "waiting_for_nodes"
	case up == 0:
		return "down"
	case up < known, !recording:
		return "degraded"
	}
	return "healthy"
}

// siteView is a site as its people see it; whole says whether the viewer owns it.
func siteView(s site, nodes []node, whole bool, now time.Time) *cloudv1.Site {
	out := &cloudv1.Site{
		Id: s.ID, Name: s.Name, Hosted: s.hosted(), CreatedAt: timestamppb.New(s.CreatedAt), Status: siteStatus(nodes, now),
	}
	slices.SortFunc(nodes, func(a, b node) int { return cmp.Compare(a.Name, b.Name) })
	leader := newestLeader(nodes, now)
	for _, n := range nodes {
		out.Nodes = append(out.Nodes, nodeView(n, n.Name == leader, whole, now))
	}
	for _, n := range nodes {
		if n.WebURL != "" && n.status(now) != "down" {
			out.AgentUrls = append(out.AgentUrls, n.WebURL)
		}
	}
	return out
}

// newestLeader names the leader. An old one that died keeps the mark until the
// next report, so of several the one seen last is meant.
func newestLeader(nodes []node, now time.Time) (name string) {
	var seen time.Time
	for _, n := range nodes {
		if n.Leader && n.status(now) == "up" && n.SeenAt.After(seen) {
			name, seen = n.Name, *n.SeenAt
		}
	}
	return name
}

func nodeView(n node, leader, whole bool, now time.Time) *cloudv1.SiteNode {
	out := &cloudv1.SiteNode{
		Name: n.Name, Status: n.status(now), Leader: leader, Voter: n.Voter, Version: n.Version, WebUrl: n.WebURL,
		SeenAt: stamp(n.SeenAt), StartedAt: stamp(n.StartedAt),
		// Whose calls are not recorded must know it, at the platform's site too.
		RecordingStopped: n.RecordingStopped, RecordingStoppedAt: stamp(n.RecordingStoppedAt),
	}
	if !whole {
		return out
	}
	out.NodeAddr, out.Lag, out.Calls = n.NodeAddr, uint64(n.Lag), uint32(n.Calls)
	out.DiskFreeBytes, out.DiskTotalBytes = uint64(n.DiskFreeBytes), uint64(n.DiskTotalBytes)
	out.FactsWaiting, out.RecordingsWaiting = uint64(n.FactsWaiting), uint64(n.RecordingsWaiting)
	out.CertificateExpiresAt, out.ClockOffsetUs = timestamppb.New(n.CertificateExpiresAt), n.ClockOffsetUs
	out.ClockOffUs = n.ClockOffUs
	out.RecordingFreePercent, out.RecordingNeededPercent = float64(n.RecordingFreePercent), float64(n.RecordingNeededPercent)
	return out
}

func stamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

// Faults of this package.
var (
	errNoSite     = fault.New(fault.NotFound, "fault.site.not_found")
	errNoTrunk    = fault.New(fault.NotFound, "fault.trunk.not_found")
	errNoNumber   = fault.New(fault.NotFound, "fault.number.not_found")
	errNoHosted   = fault.New(fault.Unavailable, "fault.site.no_hosted_site")
	errSiteName   = fault.New(fault.Conflict, "fault.site.name_taken").WithField("name")
	errHostedSite = fault.New(fault.Forbidden, "fault.site.belongs_to_platform")
)
