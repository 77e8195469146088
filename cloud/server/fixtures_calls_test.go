package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/audio"
	"trunkline/internal/fault"
	"trunkline/internal/recfile"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// apply gives a fact of the owner's to those who keep calls.
func (w *world) apply(t *testing.T, kind string, body proto.Message) {
	t.Helper()
	raw, err := proto.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	f := &edgev1.Fact{TenantId: w.owner.tenant(), Kind: kind, Body: raw}
	err = w.Server.db.InTenant(t.Context(), f.TenantId, func(ctx context.Context, tx pgx.Tx) error {
		if err := w.features.calls.conversations.Apply(ctx, tx, "site", f); err != nil {
			return err
		}
		return w.features.calls.reports.Apply(ctx, tx, "site", f)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// call makes a call of the owner's that an agent answered a minute ago.
func (w *world) call(t *testing.T) string {
	t.Helper()
	id, start := tenants.NewID(), time.Now().Add(-time.Minute).UnixMicro()
	agent := w.agent.me.Membership.Id
	const second = 1_000_000
	w.apply(t, "call", &edgev1.CallRecord{
		CallId: id, Node: "n1", Caller: "+4930111", Called: "+4989222", StartedAt: start, AnsweredAt: start, EndedAt: start + 30*second,
		EndedBy: "caller", QueueVisits: []*edgev1.QueueVisit{{QueueId: tenants.NewID(), EnqueuedAt: start, LeftAt: start + 5*second, Outcome: "answered"}},
		Talks: []*edgev1.TalkSegment{{AgentId: agent, StartedAt: start + 5*second, EndedAt: start + 30*second}},
	})
	w.apply(t, "wrap_up", &edgev1.WrapUp{CallId: id, AgentId: agent, Code: "done", StartedAt: start + 30*second, EndedAt: start + 40*second})
	return id
}

// recording makes a call with a recording of one second, under the owner's key.
func (w *world) recording(t *testing.T) *cloudv1.GetRecordingRequest {
	t.Helper()
	req := &cloudv1.GetRecordingRequest{CallId: w.call(t), RecordingId: tenants.NewID()}
	type key struct {
		ID        string
		PublicKey []byte
	}
	k, err := tenantdb.One[key](t.Context(), w.Server.db, w.owner.tenant(), "SELECT id, public_key FROM tenant_keys WHERE tenant_id = $1", w.owner.tenant())
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	r, err := recfile.Create(&file, recfile.Header{Tenant: w.owner.tenant(), Call: req.CallId, Recording: req.RecordingId, KeyID: k.ID}, k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	tone := audio.AppendULaw(nil, audio.Tone(400, -12, 8000))
	if err := r.Frame(0, tone, tone); err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(file.Bytes())
	up, err := w.features.calls.conversations.UploadRecording(t.Context(), "site", &edgev1.UploadRecordingRequest{
		TenantId: w.owner.tenant(), RecordingId: req.RecordingId, CallId: req.CallId, Data: file.Bytes(), Last: true, FileHash: hash[:],
	})
	if err != nil || !up.Complete {
		t.Fatal(up, err)
	}
	return req
}

// sinceYesterday is a report that has counted what call makes.
func sinceYesterday(t *testing.T, w *world) (*person, proto.Message) {
	w.call(t)
	return w.owner, &cloudv1.QueueReportRequest{
		From: timestamppb.New(time.Now().AddDate(0, 0, -1)), To: timestamppb.New(time.Now().Add(time.Minute)), Interval: "1h",
	}
}

var _ = fixtures(map[string]fixture{
	cloudv1connect.CallServiceListCallsProcedure: {scope: own, request: func(t *testing.T, w *world) (*person, proto.Message) {
		w.recording(t)
		return w.owner, &cloudv1.ListCallsRequest{}
	}},
	cloudv1connect.CallServiceGetCallProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.GetCallRequest{Id: w.recording(t).CallId}
	}},
	cloudv1connect.CallServiceGetWaveformProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return w.owner, w.recording(t)
	}},
	cloudv1connect.CallServiceGetRecordingUrlProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return w.owner, w.recording(t)
	}},
	cloudv1connect.ReportServiceQueueReportProcedure:    {scope: own, request: sinceYesterday},
	cloudv1connect.ReportServiceQueueReportCsvProcedure: {scope: own, request: sinceYesterday},
	cloudv1connect.ReportServiceRebuildProcedure: {scope: own, request: func(t *testing.T, w *world) (*person, proto.Message) {
		// A period without calls: those of the other fixtures are in no log.
		end := timestamppb.New(time.Now().AddDate(-1, 0, 0))
		return w.owner, &cloudv1.RebuildRequest{To: end}
	}},
	cloudv1connect.LiveServiceWatchFloorProcedure: {scope: own, request: func(t *testing.T, w *world) (*person, proto.Message) {
		w.livingSite(t)
		w.pushFloor(t)
		return w.owner, &cloudv1.WatchFloorRequest{}
	}},
	cloudv1connect.LiveServiceCommandAgentProcedure: {scope: names, refused: fault.NotFound, request: func(t *testing.T, w *world) (*person, proto.Message) {
		w.livingSite(t)
		return w.owner, &cloudv1.CommandAgentRequest{AgentId: w.agent.me.Membership.Id, Command: "not_ready"}
	}},
})

// pushFloor reports the owner's floor from the sites that serve them.
func (w *world) pushFloor(t *testing.T) {
	t.Helper()
	sites, err := tenantdb.Many[string](t.Context(), w.Server.db, w.owner.tenant(), "SELECT site_id FROM site_tenants WHERE tenant_id = $1 AND ended_at IS NULL", w.owner.tenant())
	if err != nil || len(sites) == 0 {
		t.Fatal(sites, err)
	}
	for _, site := range sites {
		err := w.features.calls.live.PushLive(t.Context(), site, []*edgev1.LiveTenant{{
			TenantId: w.owner.tenant(), At: time.Now().UnixMicro(),
			Agents: []*edgev1.LiveAgent{{AgentId: w.agent.me.Membership.Id, State: "ready"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
}
