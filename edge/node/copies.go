package node

import (
	"context"
	"os"
	"time"

	"trunkline/edge/recording"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Each recording is copied to a peer while it is written. The copy goes when the
// cloud holds the recording whole. When its owner does not come back the peer
// makes it one of its own, reports and uploads it. Should the owner come back
// after all, its recording is a continuation of the copy, and whichever the cloud
// has whole first is the recording: the other one goes.

const (
	// takeUpAfter is how long an owner is down until its recordings are taken up:
	// longer than a restart or a repair of its file system, for what it still has on
	// its disk may be longer than the copy by two seconds.
	takeUpAfter = 10 * time.Minute
	// ownerSilent is how long the cloud may lack a recording of an owner that is
	// up: it may have been installed anew, without what it had.
	ownerSilent = 24 * time.Hour
	// copiesEvery is how often one looks, and copyQuiet how long a copy has not
	// grown that is looked at.
	copiesEvery = time.Minute
	copyQuiet   = time.Minute
)

// takeUpTime is takeUpAfter, or what the environment says.
func takeUpTime() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("TRUNKLINE_RECORDING_TAKE_UP_AFTER")); err == nil && d > 0 {
		return d
	}
	return takeUpAfter
}

// followCopies looks after what is copied here of other nodes' recordings.
func (n *Node) followCopies(ctx context.Context) error {
	f := copyFollower{n: n, takeUp: takeUpTime(), asked: map[string]time.Time{}}
	tick := time.NewTicker(min(copiesEvery, max(f.takeUp/4, time.Second)))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.round(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

type copyFollower struct {
	n      *Node
	takeUp time.Duration
	asked  map[string]time.Time // when the cloud was asked of a recording
}

func (f *copyFollower) round(ctx context.Context) {
	asked := make(map[string]time.Time, len(f.asked))
	for _, c := range f.n.recordings.Copies() {
		last := f.asked[c.RecordingID]
		asked[c.RecordingID] = last
		quiet := time.Since(c.ChangedAt)
		if quiet < min(copyQuiet, f.takeUp) || time.Since(last) < min(quiet/8, time.Hour) {
			continue
		}
		stored, err := f.n.uplink.RecordingStored(ctx, c.Tenant, c.RecordingID)
		if err != nil {
			f.n.log.Debug("the cloud was not asked about copies", "error", err)
			return // away: nothing can be uploaded either
		}
		asked[c.RecordingID] = time.Now()
		f.settle(ctx, c, stored)
	}
	f.asked = asked
}

// settle removes a copy nobody needs, or takes it up.
func (f *copyFollower) settle(ctx context.Context, c recording.Copy, stored bool) {
	log := f.n.log.With("tenant", c.Tenant, "recording", c.RecordingID, "call", c.CallID, "owner", c.Node)
	switch {
	case stored || c.CallID == "" && time.Since(c.ChangedAt) > ownerSilent:
		if err := f.n.recordings.DropCopy(c.Tenant, c.RecordingID); err != nil {
			log.Warn("copy of a recording not removed", "error", err)
		}
	case c.CallID == "" || !f.gone(c) || f.elsewhere(ctx, c):
	default:
		m, err := f.n.recordings.TakeCopy(c.Tenant, c.RecordingID)
		if err != nil || m.RecordingID == "" { // nothing was recorded yet
			log.Warn("copy of a recording not taken up", "error", err)
			return
		}
		log.Info("the owner of a recording is gone: its copy is taken up", "ended_at", m.EndedAt)
		f.n.reportRecording(m)
	}
}

// gone says whether a recording's owner is not waited for any longer.
func (f *copyFollower) gone(c recording.Copy) bool {
	quiet := time.Since(c.ChangedAt)
	owner, known := f.n.replica.View().Node(c.Node)
	switch {
	case !known:
		return quiet > f.takeUp
	case owner.Up:
		return quiet > ownerSilent
	}
	return time.Duration(f.n.replica.Now()-owner.Since)*time.Microsecond > f.takeUp
}

// elsewhere says whether another node that is up has a better copy: the owner
// may have changed its peer while it recorded. Of equal ones the first node's counts.
func (f *copyFollower) elsewhere(ctx context.Context, c recording.Copy) bool {
	for _, p := range f.n.replica.View().Nodes() {
		if !p.Up || p.Name == f.n.cfg.Name || p.Name == c.Node {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, copyTimeout)
		res, err := f.n.peer(p.Name).CopyRecording(ctx, &edgev1.CopyRecordingRequest{
			TenantId: c.Tenant, RecordingId: c.RecordingID, Offset: uint64(c.Bytes),
		})
		cancel()
		size := int64(res.GetOffset())
		if err != nil || size > c.Bytes || size == c.Bytes && p.Name < f.n.cfg.Name {
			return true
		}
	}
	return false
}
