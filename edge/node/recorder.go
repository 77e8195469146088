package node

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"trunkline/edge/call"
	"trunkline/edge/recording"
	"trunkline/edge/switchboard"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// recorder records callers' legs for the switchboard and reports what is closed.
type recorder struct{ n *Node }

// Start records both directions of the caller's leg until the returned function
// is called. A call that cannot be recorded goes on, loudly.
func (r recorder) Start(row call.Call, caller switchboard.Audio) func() {
	a, ok := caller.(audio)
	t := r.n.rules.tenant(row.Tenant)
	if !ok || t == nil || len(t.cfg.GetRecordingPublicKey()) == 0 {
		return func() {}
	}
	log := r.n.log.With("call", row.ID, "tenant", row.Tenant)
	// Each move of the call began a part, and so did each restart of this node.
	before, continued := r.n.recordings.Previous(row.Tenant, row.ID)
	segment := uint32(len(row.Moves))
	if continued {
		segment = max(segment, before.Segment+1)
	}
	rec, err := r.n.recordings.Record(recording.Spec{
		Tenant: row.Tenant, CallID: row.ID, RecordingID: uuid.Must(uuid.NewV7()).String(),
		Segment: segment, PrevChain: before.Chain, PublicKey: t.cfg.GetRecordingPublicKey(), KeyID: t.cfg.GetRecordingKeyId(),
		StartedAt: r.n.replica.Now(),
		OnStop:    func(reason string) { log.Error("recording stopped early", "reason", reason) },
	})
	if err != nil {
		log.Error("call is not recorded", "error", err)
		return func() {}
	}
	a.Tap(rec)
	return func() {
		a.Tap(nil)
		r.n.work.Go(func() {
			m, err := rec.Close()
			if err != nil {
				log.Error("recording not closed", "error", err)
				return
			}
			r.n.reportRecording(m)
		})
	}
}

// reportTimeout bounds one try to put a manifest into the outbox; what fails is
// tried again at the next start.
const reportTimeout = 30 * time.Second

func (n *Node) reportRecording(m recording.Manifest) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(&edgev1.RecordingManifest{
		RecordingId: m.RecordingID, CallId: m.CallID, Node: m.Node, Segment: m.Segment,
		StartedAt: m.StartedAt, EndedAt: m.EndedAt, Bytes: uint64(m.Bytes), Chunks: m.Chunks,
		Chain: m.Chain, KeyId: m.KeyID, PrevChain: m.PrevChain,
	})
	if err != nil {
		n.log.Error("manifest", "recording", m.RecordingID, "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(n.reporting, reportTimeout)
	defer cancel()
	apply := n.replica.ApplyLate
	n.mu.Lock()
	if n.stopping { // there may be no later
		apply = n.replica.Apply
	}
	n.mu.Unlock()
	// The key makes a second report of the same recording harmless. What is another
	// node's was copied here; it may be shorter than what that node reported.
	key := "recording/" + m.RecordingID
	if m.Node != n.cfg.Name {
		key += "/" + n.cfg.Name
	}
	_, err = apply(ctx, key, call.RecordingClosed{Tenant: m.Tenant, ID: m.RecordingID, Body: body})
	if err == nil {
		err = recording.Reported(m)
	}
	if err != nil {
		n.log.Warn("recording not reported yet", "recording", m.RecordingID, "error", err)
		return
	}
	n.uplink.RecordingClosed()
}

// startRecordings closes what an earlier process left open, before anything new
// is written beside it.
func (n *Node) startRecordings(ctx context.Context) error {
	recovered, err := recording.Recover(n.recordingDir())
	if err != nil {
		n.log.Error("recordings cannot be recovered", "error", err)
	}
	for _, m := range recovered {
		n.log.Info("recording to be reported", "recording", m.RecordingID, "call", m.CallID, "recovered", m.Recovered)
	}
	n.leftovers = recovered
	all, err := recording.List(n.recordingDir())
	if err != nil {
		n.log.Error("recordings cannot be listed", "error", err)
	}
	n.recordings.Left(all)
	return n.recordings.Start(ctx)
}

// reportLeftovers reports what an earlier process did not.
func (n *Node) reportLeftovers() {
	for _, m := range n.leftovers {
		n.reportRecording(m)
	}
}
