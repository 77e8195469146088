package conversations

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/cloud/schema"
	"trunkline/internal/audio"
	"trunkline/internal/fault"
	"trunkline/internal/grant"
	"trunkline/internal/pg/pgtest"
	"trunkline/internal/recfile"
	"trunkline/internal/rpcx"
	"trunkline/internal/seal"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

type keysOf struct{ private []byte }

func (k keysOf) Private(context.Context, int64, string) ([]byte, error) { return k.private, nil }

type bench struct {
	*Service
	db      *tenantdb.DB
	public  []byte
	one     int64 // tenant everything belongs to
	other   int64
	ctx     context.Context
	foreign context.Context
}

func newBench(t *testing.T) *bench {
	t.Helper()
	d := pgtest.New(t, schema.Migrate)
	db, err := tenantdb.Open(t.Context(), d.App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	public, private, err := recfile.Keypair()
	if err != nil {
		t.Fatal(err)
	}
	box, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{db: db, public: public}
	b.Service = NewService(db, keysOf{private}, box, t.TempDir(), slog.New(slog.DiscardHandler))
	err = db.Platform(t.Context(), "test", func(ctx context.Context, tx pgx.Tx) error {
		for _, id := range []*int64{&b.one, &b.other} {
			slug := tenants.NewID()[24:]
			if err := tx.QueryRow(ctx, "INSERT INTO tenants (slug, name, language) VALUES ($1, $1, 'en') RETURNING tenant_id", slug).Scan(id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.ctx, b.foreign = as(t.Context(), b.one), as(t.Context(), b.other)
	return b
}

func as(ctx context.Context, tenant int64) context.Context {
	return rpcx.WithCaller(ctx, rpcx.Caller{Claims: grant.Claims{Account: "a", Membership: "m", Tenant: tenant}})
}

func (b *bench) apply(t *testing.T, kind string, body proto.Message) {
	t.Helper()
	raw, err := proto.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	err = b.db.InTenant(t.Context(), b.one, func(ctx context.Context, tx pgx.Tx) error {
		return b.Apply(ctx, tx, "site", &edgev1.Fact{TenantId: b.one, Kind: kind, Body: raw})
	})
	if err != nil {
		t.Fatal(err)
	}
}

const second = int64(time.Second / time.Microsecond)

// answered is a call that waited 3 s and was talked for 20 s, 5 of them held.
func answered(id string, start int64) *edgev1.CallRecord {
	return &edgev1.CallRecord{
		CallId: id, Node: "n1", Caller: "+4930111", Called: "+4989222", StartedAt: start, AnsweredAt: start, EndedAt: start + 30*second,
		EndedBy: "caller", EndReason: "caller_hung_up",
		MenuPath: []*edgev1.MenuChoice{{At: start + second, Digit: "1", Label: "Support"}},
		QueueVisits: []*edgev1.QueueVisit{{
			QueueId: "q1", EnqueuedAt: start + 2*second, LeftAt: start + 5*second, Outcome: "answered",
			Offers: []*edgev1.Offer{{AgentId: "a1", OfferedAt: start + 3*second, EndedAt: start + 5*second, Outcome: "accepted"}},
		}},
		Talks: []*edgev1.TalkSegment{{AgentId: "a1", StartedAt: start + 5*second, EndedAt: start + 25*second, HeldUs: 5 * second}},
	}
}

func abandoned(id string, start, waited int64) *edgev1.CallRecord {
	return &edgev1.CallRecord{
		CallId: id, StartedAt: start, AnsweredAt: start, EndedAt: start + waited, EndedBy: "caller",
		QueueVisits: []*edgev1.QueueVisit{{QueueId: "q1", EnqueuedAt: start, LeftAt: start + waited, Outcome: "abandoned"}},
	}
}

func TestCallRecord(t *testing.T) {
	b := newBench(t)
	start := time.Now().Add(-time.Hour).UnixMicro()
	id := tenants.NewID()
	b.apply(t, "call", answered(id, start))
	b.apply(t, "call", answered(id, start)) // once more changes nothing
	b.apply(t, "wrap_up", &edgev1.WrapUp{CallId: id, AgentId: "a1", Code: "solved", Note: "done", StartedAt: start + 30*second, EndedAt: start + 37*second})

	c, err := b.GetCall(b.ctx, &cloudv1.GetCallRequest{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	if c.Outcome != "answered" || c.WaitMs != 3000 || c.TalkMs != 15000 || c.HoldMs != 5000 || c.WrapUpMs != 7000 || c.WrapUpCode != "solved" {
		t.Errorf("call: %v", c)
	}
	var kinds []string
	for _, e := range c.Events {
		kinds = append(kinds, e.Kind)
	}
	want := "started answered menu queued offered talking ended wrap_up"
	if got := join(kinds); got != want {
		t.Errorf("timeline %s, want %s", got, want)
	}
	if _, err := b.GetCall(b.foreign, &cloudv1.GetCallRequest{Id: id}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a foreigner got %v", err)
	}
}

// A call that a1 passed to a2: both talks, both wrap-ups, and what was tried before.
func TestTransferredCall(t *testing.T) {
	b := newBench(t)
	start := time.Now().Add(-time.Hour).UnixMicro()
	r := answered(tenants.NewID(), start)
	r.EndedAt = start + 60*second
	r.Talks = append(r.Talks, &edgev1.TalkSegment{AgentId: "a2", StartedAt: start + 40*second, EndedAt: start + 60*second})
	r.Transfers = []*edgev1.Transfer{
		{At: start + 25*second, ByAgent: "a1", AgentId: "a3", EndedAt: start + 30*second, Outcome: "no_answer"},
		{At: start + 25*second, ByAgent: "a1", AgentId: "a2", EndedAt: start + 40*second, Outcome: "accepted"},
	}
	b.apply(t, "call", r)
	b.apply(t, "wrap_up", &edgev1.WrapUp{CallId: r.CallId, AgentId: "a2", Code: "solved", StartedAt: start + 60*second, EndedAt: start + 65*second})
	b.apply(t, "wrap_up", &edgev1.WrapUp{CallId: r.CallId, AgentId: "a1", Code: "passed_on", StartedAt: start + 25*second, EndedAt: start + 28*second})
	b.apply(t, "wrap_up", &edgev1.WrapUp{CallId: r.CallId, AgentId: "a1", Code: "passed_on", StartedAt: start + 25*second, EndedAt: start + 28*second})
	c, err := b.GetCall(b.ctx, &cloudv1.GetCallRequest{Id: r.CallId})
	if err != nil {
		t.Fatal(err)
	}
	if c.AgentId != "a2" || c.TalkMs != 35_000 || c.WrapUpMs != 8000 || c.WrapUpCode != "solved" {
		t.Errorf("call: %v", c)
	}
	var kinds []string
	for _, e := range c.Events {
		kinds = append(kinds, e.Kind)
	}
	want := "started answered menu queued offered talking transferred transferred wrap_up transfer_ended talking ended wrap_up"
	if got := join(kinds); got != want {
		t.Errorf("timeline\n got %s\nwant %s", got, want)
	}
}

// A call that a1 passed to a number outside: first it was busy, then it answered.
func TestCallPassedOnToANumber(t *testing.T) {
	b := newBench(t)
	start := time.Now().Add(-time.Hour).UnixMicro()
	r := answered(tenants.NewID(), start)
	r.EndedAt, r.EndedBy = start+60*second, "outside"
	r.Transfers = []*edgev1.Transfer{
		{At: start + 30*second, ByAgent: "a1", Number: "+4930555", EndedAt: start + 31*second, Outcome: "busy"},
		{At: start + 32*second, ByAgent: "a1", Number: "+4930556", EndedAt: start + 40*second, Outcome: "accepted"},
	}
	b.apply(t, "call", r)
	c, err := b.GetCall(b.ctx, &cloudv1.GetCallRequest{Id: r.CallId})
	if err != nil {
		t.Fatal(err)
	}
	if c.Outcome != "answered" || c.EndedBy != "outside" {
		t.Errorf("call: %v", c)
	}
	var told []string
	for _, e := range c.Events {
		if n := e.Params["number"]; n != "" {
			told = append(told, e.Kind, n, e.Params["outcome"])
		}
	}
	want := "transferred +4930555  transfer_ended +4930555 busy transferred +4930556  outside_answered +4930556 "
	if got := join(told); got != want {
		t.Errorf("timeline\n got %s\nwant %s", got, want)
	}
}

// A colleague was asked three times: declined, answered and was left, and took the caller.
func TestColleagueIsAsked(t *testing.T) {
	b := newBench(t)
	start := time.Now().Add(-time.Hour).UnixMicro()
	r := answered(tenants.NewID(), start)
	r.EndedAt = start + 90*second
	r.Transfers = []*edgev1.Transfer{
		{At: start + 30*second, ByAgent: "a1", AgentId: "a2", Consult: true, EndedAt: start + 31*second, Outcome: "rejected"},
		{At: start + 32*second, ByAgent: "a1", AgentId: "a2", Consult: true, AnsweredAt: start + 34*second, EndedAt: start + 40*second, Outcome: "cancelled"},
		{At: start + 50*second, ByAgent: "a1", AgentId: "a2", Consult: true, AnsweredAt: start + 52*second, EndedAt: start + 60*second, Outcome: "completed"},
		{At: start + 60*second, ByAgent: "a1", AgentId: "a2", EndedAt: start + 60*second, Outcome: "accepted"},
	}
	b.apply(t, "call", r)
	c, err := b.GetCall(b.ctx, &cloudv1.GetCallRequest{Id: r.CallId})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range c.Events {
		if strings.HasPrefix(e.Kind, "consult") || e.Kind == "transferred" {
			told = append(told, e.Kind+":"+e.Params["outcome"])
		}
	}
	want := "consulted: consult_ended:rejected consulted: consult_answered: consult_ended:cancelled consulted: consult_answered: transferred:"
	if got := join(told); got != want {
		t.Errorf("timeline\n got %s\nwant %s", got, want)
	}
}

func join(words []string) string {
	out := ""
	for i, w := range words {
		if i > 0 {
			out += " "
		}
		out += w
	}
	return out
}

func TestListCalls(t *testing.T) {
	b := newBench(t)
	base := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := range 5 {
		b.apply(t, "call", answered(tenants.NewID(), base.Add(time.Duration(i)*time.Minute).UnixMicro()))
	}
	b.apply(t, "call", abandoned(tenants.NewID(), base.Add(10*time.Minute).UnixMicro(), 2*second))
	b.apply(t, "call", abandoned(tenants.NewID(), base.Add(11*time.Minute).UnixMicro(), 40*second))

	var seen int
	token := ""
	for {
		page, err := b.ListCalls(b.ctx, &cloudv1.ListCallsRequest{PageSize: 3, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page.Calls)
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	if seen != 7 {
		t.Errorf("paged through %d calls", seen)
	}
	cases := map[string]struct {
		f    *cloudv1.CallFilter
		want int
	}{
		"answered": {&cloudv1.CallFilter{Outcomes: []string{"answered"}}, 5},
		"short":    {&cloudv1.CallFilter{Outcomes: []string{"abandoned_short"}}, 1},
		"lost":     {&cloudv1.CallFilter{Outcomes: []string{"abandoned"}}, 1},
		"number":   {&cloudv1.CallFilter{Number: "30 111"}, 5},
		"agent":    {&cloudv1.CallFilter{AgentIds: []string{"a1"}}, 5},
		"time":     {&cloudv1.CallFilter{From: timestamppb.New(base.Add(9 * time.Minute))}, 2},
	}
	for name, c := range cases {
		got, err := b.ListCalls(b.ctx, &cloudv1.ListCallsRequest{Filter: c.f})
		if err != nil || len(got.GetCalls()) != c.want {
			t.Errorf("%s: %d calls, want %d (%v)", name, len(got.GetCalls()), c.want, err)
		}
	}
	if got, err := b.ListCalls(b.foreign, &cloudv1.ListCallsRequest{}); err != nil || len(got.Calls) != 0 {
		t.Errorf("a foreigner sees %v (%v)", got, err)
	}
	for _, token := range []string{"rubbish", pageToken(base, "\x00"), pageToken(base.AddDate(290000, 0, 0), tenants.NewID())} {
		if _, err := b.ListCalls(b.ctx, &cloudv1.ListCallsRequest{PageToken: token}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("rubbish as page token: %v", err)
		}
	}
	for _, f := range []*cloudv1.CallFilter{
		{From: timestamppb.New(base), To: timestamppb.New(base)}, {From: &timestamppb.Timestamp{Seconds: 1 << 60}},
	} {
		if _, err := b.ListCalls(b.ctx, &cloudv1.ListCallsRequest{Filter: f}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v: %v", f, err)
		}
	}
}

// file is a recording of two seconds: a tone on each side.
func (b *bench) file(t *testing.T, call, id string) ([]byte, recfile.Summary) {
	t.Helper()
	var buf bytes.Buffer
	w, err := recfile.Create(&buf, recfile.Header{Tenant: b.one, Call: call, Recording: id, KeyID: "k"}, b.public)
	if err != nil {
		t.Fatal(err)
	}
	left, right := audio.AppendULaw(nil, audio.Tone(400, -12, 4000)), audio.AppendULaw(nil, audio.Tone(1000, -12, 4000))
	for i := range 4 {
		if err := w.Frame(int64(i)*500_000, left, right); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := recfile.Scan(bytes.NewReader(buf.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), sum
}

func TestRecording(t *testing.T) {
	b := newBench(t)
	call, id := tenants.NewID(), tenants.NewID()
	b.apply(t, "call", answered(call, time.Now().UnixMicro()))
	data, sum := b.file(t, call, id)
	b.apply(t, "recording", &edgev1.RecordingManifest{
		RecordingId: id, CallId: call, StartedAt: 1, EndedAt: 1 + 2*second, Bytes: uint64(len(data)), Chain: sum.Chain[:], KeyId: "k",
	})
	up := func(offset int, piece []byte, last bool, hash []byte) (*edgev1.RecordingOffsetResponse, error) {
		return b.UploadRecording(t.Context(), "site", &edgev1.UploadRecordingRequest{
			TenantId: b.one, RecordingId: id, CallId: call, Offset: uint64(offset), Data: piece, Last: last, FileHash: hash,
		})
	}
	hash := sha256.Sum256(data)
	half := len(data) / 2
	if r, err := up(0, data[:half], false, nil); err != nil || r.Offset != uint64(half) {
		t.Fatal(r, err)
	}
	if r, err := up(0, data[:half], false, nil); err != nil || r.Offset != uint64(half) {
		t.Errorf("a piece sent twice: %v %v", r, err)
	}
	if _, err := up(half, data[half:], true, make([]byte, 32)); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a wrong hash: %v", err)
	}
	if r, err := up(0, data[:half], false, nil); err != nil || r.Offset != uint64(half) {
		t.Fatal("after a wrong hash it starts again:", r, err)
	}
	if r, err := up(half, data[half:], true, hash[:]); err != nil || !r.Complete {
		t.Fatal(r, err)
	}

	got, err := b.GetCall(b.ctx, &cloudv1.GetCallRequest{Id: call})
	if err != nil || len(got.Recordings) != 1 || got.Recordings[0].Status != "stored" || !got.HasRecording {
		t.Fatalf("%v %v", got, err)
	}
	req := &cloudv1.GetRecordingRequest{CallId: call, RecordingId: id}
	wave, err := b.GetWaveform(b.ctx, req)
	if err != nil || wave.DurationMs != 2000 || len(wave.Caller) != len(wave.Agent) || len(wave.Caller) == 0 {
		t.Fatalf("%v %v", wave, err)
	}
	for _, try := range []func() error{
		func() error { _, err := b.GetWaveform(b.foreign, req); return err },
		func() error { _, err := b.GetRecordingUrl(b.foreign, req); return err },
	} {
		if err := try(); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a foreigner got %v", err)
		}
	}
	address, err := b.GetRecordingUrl(b.ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	checkAudio(t, b, address.Url)
	if code := fetch(b, address.Url[:len(address.Url)-6]+"xx.wav").StatusCode; code != http.StatusForbidden {
		t.Errorf("a forged address: %d", code)
	}
	b.now = func() time.Time { return time.Now().Add(time.Hour) }
	if code := fetch(b, address.Url).StatusCode; code != http.StatusForbidden {
		t.Errorf("an address of yesterday: %d", code)
	}
}

func fetch(b *bench, url string) *http.Response {
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
	return w.Result()
}

// checkAudio: each channel of the download holds its own tone.
func checkAudio(t *testing.T, b *bench, url string) {
	t.Helper()
	body, err := io.ReadAll(fetch(b, url).Body)
	if err != nil || len(body) != 44+2*8000*4 {
		t.Fatalf("%d bytes (%v)", len(body), err)
	}
	for i, hz := range []float64{400, 1000} {
		pcm := make([]int16, 0, 16000)
		for j := 44 + 2*i; j+1 < len(body); j += 4 {
			pcm = append(pcm, int16(uint16(body[j])|uint16(body[j+1])<<8))
		}
		if l := audio.ToneLevel(pcm, hz); l < -13 {
			t.Errorf("channel %d: %.0f Hz at %.1f dB", i, hz, l)
		}
	}
}

func TestDamagedRecording(t *testing.T) {
	b := newBench(t)
	call, id := tenants.NewID(), tenants.NewID()
	b.apply(t, "call", answered(call, time.Now().UnixMicro()))
	data, _ := b.file(t, call, id)
	b.apply(t, "recording", &edgev1.RecordingManifest{RecordingId: id, CallId: call, Chain: make([]byte, 32)})
	hash := sha256.Sum256(data)
	_, err := b.UploadRecording(t.Context(), "site", &edgev1.UploadRecordingRequest{
		TenantId: b.one, RecordingId: id, CallId: call, Data: data, Last: true, FileHash: hash[:],
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.GetWaveform(b.ctx, &cloudv1.GetRecordingRequest{CallId: call, RecordingId: id}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a damaged recording was played: %v", err)
	}
}

// A manifest that comes after its file is compared with it, too.
func TestTheManifestComesLast(t *testing.T) {
	b := newBench(t)
	call := tenants.NewID()
	b.apply(t, "call", answered(call, time.Now().UnixMicro()))
	for status, right := range map[string]bool{"stored": true, "damaged": false} {
		id := tenants.NewID()
		data, sum := b.file(t, call, id)
		hash := sha256.Sum256(data)
		req := &edgev1.UploadRecordingRequest{TenantId: b.one, RecordingId: id, CallId: call, Data: data, Last: true, FileHash: hash[:]}
		if r, err := b.UploadRecording(t.Context(), "site", req); err != nil || !r.Complete {
			t.Fatal(r, err)
		}
		if !right {
			sum.Chain[0]++
		}
		b.apply(t, "recording", &edgev1.RecordingManifest{RecordingId: id, CallId: call, StartedAt: 1, EndedAt: 1 + second, Chain: sum.Chain[:]})
		got, err := tenantdb.One[string](t.Context(), b.db, b.one, "SELECT status FROM recordings WHERE tenant_id = $1 AND id = $2", b.one, id)
		if err != nil || got != status {
			t.Errorf("%q, want %q (%v)", got, status, err)
		}
		// Either way the site has nothing more to send.
		if r, err := b.RecordingOffset(t.Context(), "site", &edgev1.RecordingOffsetRequest{TenantId: b.one, RecordingId: id}); err != nil || !r.Complete {
			t.Error(r, err)
		}
	}
}

// A call ends once: what else is reported of it is refused.
func TestASecondRecordIsRefused(t *testing.T) {
	b := newBench(t)
	id, start := tenants.NewID(), time.Now().UnixMicro()
	b.apply(t, "call", answered(id, start))
	for name, r := range map[string]*edgev1.CallRecord{
		"another end": answered(id, start-second), "no id": answered("", start), "no times": {CallId: tenants.NewID()},
		"a path": answered("../../../../etc/passwd/../../..", start),
	} {
		body, err := proto.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		err = b.db.InTenant(t.Context(), b.one, func(ctx context.Context, tx pgx.Tx) error {
			return b.Apply(ctx, tx, "site", &edgev1.Fact{TenantId: b.one, Kind: "call", Body: body})
		})
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if got, err := b.ListCalls(b.ctx, &cloudv1.ListCallsRequest{}); err != nil || len(got.Calls) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}
