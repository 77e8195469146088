package conversations

import (
	"bytes"
	"crypto/sha256"
	"io"
	"testing"
	"time"

	"trunkline/internal/fault"
	"trunkline/internal/recfile"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
)

// The file of a recording fits its owner's manifest or that of the node that had
// a copy, in whatever order they come; nothing is stored twice.
func TestOwnerAndCopyAnnounceARecording(t *testing.T) {
	b := newBench(t)
	call := tenants.NewID()
	b.apply(t, "call", answered(call, time.Now().UnixMicro()))
	type step func(id string, data []byte, whole, copied recfile.Summary)
	manifest := func(of func(whole, copied recfile.Summary) recfile.Summary) step {
		return func(id string, _ []byte, whole, copied recfile.Summary) {
			sum := of(whole, copied)
			b.apply(t, "recording", &edgev1.RecordingManifest{RecordingId: id, CallId: call, StartedAt: 1, EndedAt: 2, Chain: sum.Chain[:]})
		}
	}
	file := func(of func(whole, copied recfile.Summary) recfile.Summary) step {
		return func(id string, data []byte, whole, copied recfile.Summary) {
			data = data[:of(whole, copied).Bytes]
			hash := sha256.Sum256(data)
			where, err := b.RecordingOffset(t.Context(), "site", &edgev1.RecordingOffsetRequest{TenantId: b.one, RecordingId: id})
			if err != nil || where.Complete {
				return // as a site does
			}
			_, err = b.UploadRecording(t.Context(), "site", &edgev1.UploadRecordingRequest{
				TenantId: b.one, RecordingId: id, CallId: call, Offset: where.Offset, Data: data[where.Offset:], Last: true, FileHash: hash[:],
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	owners := func(whole, _ recfile.Summary) recfile.Summary { return whole }
	peers := func(_, copied recfile.Summary) recfile.Summary { return copied }
	for name, steps := range map[string][]step{
		"the owner never comes back":     {manifest(peers), file(peers)},
		"the owner had reported":         {manifest(owners), manifest(peers), file(peers)},
		"the file comes first":           {file(peers), manifest(peers)},
		"the owner's report comes late":  {manifest(peers), file(peers), manifest(owners), file(owners)},
		"the owner is back and quicker":  {manifest(owners), manifest(peers), file(owners), file(peers)},
		"the owner's file comes first":   {file(owners), manifest(peers), manifest(owners)},
		"both reports before both files": {manifest(peers), manifest(owners), file(peers), file(owners)},
	} {
		id := tenants.NewID()
		data, whole := b.file(t, call, id)
		cut := data[:len(data)-10] // the last frame was not copied
		copied, err := recfile.Scan(bytes.NewReader(cut))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			s(id, data, whole, copied)
		}
		var status []string
		got, err := b.GetCall(b.ctx, &cloudv1.GetCallRequest{Id: call})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got.Recordings {
			if r.Id == id {
				status = append(status, r.Status)
			}
		}
		if len(status) != 1 || status[0] != "stored" {
			t.Errorf("%s: %q", name, status)
		}
	}
}

// A call that moved has a recording of several parts: each says whether it
// follows the one before, and all are played as one.
func TestPartsOfACall(t *testing.T) {
	b := newBench(t)
	call := tenants.NewID()
	b.apply(t, "call", answered(call, time.Now().UnixMicro()))
	began, pause := time.Now().Add(-time.Minute), 500*time.Millisecond
	part := func(segment uint32, prev []byte) recfile.Summary {
		id := tenants.NewID()
		data, sum := b.file(t, call, id)
		hash := sha256.Sum256(data)
		start := began.Add(time.Duration(segment) * (2*time.Second + pause)).UnixMicro()
		b.apply(t, "recording", &edgev1.RecordingManifest{
			RecordingId: id, CallId: call, Segment: segment, StartedAt: start, EndedAt: start + 2*second, Chain: sum.Chain[:], PrevChain: prev,
		})
		if _, err := b.UploadRecording(t.Context(), "site", &edgev1.UploadRecordingRequest{
			TenantId: b.one, RecordingId: id, CallId: call, Data: data, Last: true, FileHash: hash[:],
		}); err != nil {
			t.Fatal(err)
		}
		copied, err := recfile.Scan(bytes.NewReader(data[:len(data)-10]))
		if err != nil {
			t.Fatal(err)
		}
		return copied
	}
	first := part(0, nil)
	part(1, first.Chain[:]) // the owner came back: its part is longer than the copy was
	part(2, make([]byte, 32))
	got, err := b.GetCall(b.ctx, &cloudv1.GetCallRequest{Id: call})
	if err != nil || len(got.Recordings) != 3 {
		t.Fatal(got, err)
	}
	for i, want := range []bool{false, true, false} {
		if got.Recordings[i].Follows != want || got.Recordings[i].Segment != uint32(i) {
			t.Errorf("part %d: %v", i, got.Recordings[i])
		}
	}
	req := &cloudv1.GetRecordingRequest{CallId: call}
	wave, err := b.GetWaveform(b.ctx, req)
	if err != nil || wave.DurationMs != 3*2000+2*500 {
		t.Errorf("%v %v", wave.GetDurationMs(), err)
	}
	if _, err := b.GetRecordingUrl(b.foreign, req); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a foreigner got %v", err)
	}
	if _, err := b.GetWaveform(b.foreign, req); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a foreigner got %v", err)
	}
	address, err := b.GetRecordingUrl(b.ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(fetch(b, address.Url).Body)
	if err != nil || len(body) != 44+7*8000*4 {
		t.Errorf("%d bytes (%v)", len(body), err)
	}
}
