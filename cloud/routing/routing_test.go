package routing

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"trunkline/cloud/schema"
	"trunkline/internal/audio"
	"trunkline/internal/fault"
	"trunkline/internal/flow"
	"trunkline/internal/grant"
	"trunkline/internal/pg/pgtest"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

type office struct {
	*Service
	t *testing.T
}

func newOffice(t *testing.T) office {
	t.Helper()
	db, err := tenantdb.Open(t.Context(), pgtest.New(t, schema.Migrate).App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return office{New(db), t}
}

// tenant makes a tenant with what a sign-up gives it, and a context of its owner.
func (o office) tenant(name, language string) (int64, context.Context) {
	o.t.Helper()
	var t tenants.Tenant
	err := o.db.Platform(o.t.Context(), "test", func(ctx context.Context, tx pgx.Tx) (err error) {
		t, err = tenants.Create(ctx, tx, name, language, "Asia/Shanghai", []tenants.Provisioner{o.Service})
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	claims := grant.Claims{Account: "account-of-" + name, Tenant: t.ID, Name: "Owner of " + name, Roles: []string{grant.Owner}}
	return t.ID, rpcx.WithCaller(o.t.Context(), rpcx.Caller{Claims: claims})
}

// member adds a member and gives the membership's id.
func (o office) member(tenant int64, name string) string {
	o.t.Helper()
	id := tenants.NewID()
	err := o.db.Platform(o.t.Context(), "test", func(ctx context.Context, tx pgx.Tx) error {
		a, err := tenants.CreateAccount(ctx, tx, tenants.Account{Email: name + "@x.example", DisplayName: name}, "x")
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO memberships (tenant_id, id, account_id, roles) VALUES ($1, $2, $3, '{agent}')", tenant, id, a.ID)
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return id
}

func (o office) snapshot(tenant int64) *edgev1.TenantConfig {
	o.t.Helper()
	out := &edgev1.TenantConfig{TenantId: tenant}
	err := o.db.InTenant(o.t.Context(), tenant, func(ctx context.Context, tx pgx.Tx) error {
		return o.Contribute(ctx, tx, tenant, "site-1", out)
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return out
}

func wantFault(t *testing.T, err error, kind fault.Kind, key string) *fault.Error {
	t.Helper()
	f := fault.Of(err)
	if err == nil || f.Kind != kind || f.Key != key {
		t.Fatalf("got %v, want %s %s", err, kind, key)
	}
	return f
}

func TestANewTenantCanTakeACall(t *testing.T) {
	o := newOffice(t)
	tenant, ctx := o.tenant("公司", "zh-Hans")
	c := o.snapshot(tenant)
	if c.Language != "zh-Hans" || c.TimeZone != "Asia/Shanghai" || c.MaxCalls == 0 || c.ServiceLevelMs != 20_000 || c.ShortAbandonMs != 5000 {
		t.Errorf("%v", c)
	}
	if len(c.Queues) != 1 || c.Queues[0].Name != "客户服务" || c.Queues[0].OfferTimeoutMs != 20_000 || c.Queues[0].Music != "music" {
		t.Errorf("queues: %v", c.Queues)
	}
	if len(c.BreakReasons) == 0 || c.WrapUpCodes[0].Name != "已解决" {
		t.Errorf("%v, %v", c.BreakReasons, c.WrapUpCodes)
	}
	doc, err := flow.Parse(c.Flows[0].Document)
	if err != nil || doc.Nodes["support"].QueueID != c.Queues[0].Id || c.Flows[0].Version != "1" {
		t.Errorf("%v, %v", doc, err)
	}
	flows, err := o.ListFlows(ctx, &cloudv1.ListFlowsRequest{})
	if err != nil || len(flows.Flows) != 1 || len(flows.Flows[0].Findings) != 0 || flows.Flows[0].Name != "主菜单" {
		t.Errorf("%v, %v", flows, err)
	}
}

func TestMembersServeTheirQueuesOrAll(t *testing.T) {
	o := newOffice(t)
	tenant, ctx := o.tenant("one", "en")
	ann, bob := o.member(tenant, "ann"), o.member(tenant, "bob")
	q2, err := o.SaveQueue(ctx, &cloudv1.SaveQueueRequest{Queue: &cloudv1.Queue{Name: "Sales", OfferTimeoutS: 15}})
	if err != nil || q2.Members != 2 {
		t.Fatalf("%v, %v", q2, err)
	}
	set := func(member string, queues ...string) error {
		return o.db.InTenant(t.Context(), tenant, func(ctx context.Context, tx pgx.Tx) error {
			return Members{}.SetQueues(ctx, tx, tenant, member, queues)
		})
	}
	if err := set(ann, q2.Id, q2.Id); err != nil {
		t.Fatal(err)
	}
	wantFault(t, set(bob, tenants.NewID()), fault.NotFound, "fault.queue.not_found")
	agents := map[string][]string{}
	for _, a := range o.snapshot(tenant).Agents {
		agents[a.Id] = a.QueueIds
	}
	if len(agents[ann]) != 1 || agents[ann][0] != q2.Id || len(agents[bob]) != 2 {
		t.Errorf("%v", agents)
	}
	list, err := o.ListQueues(ctx, &cloudv1.ListQueuesRequest{})
	if err != nil || list.Queues[0].Name != "Sales" || list.Queues[0].Members != 2 || list.Queues[1].Members != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if err := set(ann); err != nil {
		t.Fatal(err)
	}
	for _, a := range o.snapshot(tenant).Agents {
		if len(a.QueueIds) != 2 {
			t.Errorf("%v", a)
		}
	}
}

func TestQueues(t *testing.T) {
	o := newOffice(t)
	_, ctx := o.tenant("one", "en")
	_, other := o.tenant("two", "en")
	save := func(ctx context.Context, q *cloudv1.Queue) (*cloudv1.Queue, error) {
		return o.SaveQueue(ctx, &cloudv1.SaveQueueRequest{Queue: q})
	}
	_, err := save(ctx, &cloudv1.Queue{Name: "Support", OfferTimeoutS: 20})
	wantFault(t, err, fault.Conflict, "fault.queue.name_taken")
	_, err = save(ctx, &cloudv1.Queue{Name: "x", OfferTimeoutS: 1})
	wantFault(t, err, fault.Invalid, "fault.field.too_small")
	q, err := save(ctx, &cloudv1.Queue{Name: "x", OfferTimeoutS: 10, WrapUpS: 5})
	if err != nil {
		t.Fatal(err)
	}
	q.Name, q.MaxWaitS = "y", 60
	_, err = save(other, q)
	wantFault(t, err, fault.NotFound, "fault.queue.not_found")
	if got, err := save(ctx, q); err != nil || got.Name != "y" || got.MaxWaitS != 60 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestPublishing(t *testing.T) {
	o := newOffice(t)
	tenant, ctx := o.tenant("one", "en")
	_, other := o.tenant("two", "en")
	flows, err := o.ListFlows(ctx, &cloudv1.ListFlowsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	main := flows.Flows[0]
	broken := strings.Replace(main.Document, `"next": "menu"`, `"next": "nowhere"`, 1)
	_, err = o.PublishFlow(ctx, &cloudv1.PublishFlowRequest{Id: main.Id, Document: broken})
	if f := wantFault(t, err, fault.Invalid, "fault.flow.has_errors"); f.Params["finding"] != "flow.next_missing" || f.Params["node"] != "greeting" || f.Params["count"] != "1" {
		t.Errorf("%v", f.Params)
	}
	lint, err := o.LintFlow(ctx, &cloudv1.PublishFlowRequest{Document: broken})
	if err != nil || len(lint.Findings) < 2 {
		t.Errorf("%v, %v", lint, err)
	}
	if lint, _ := o.LintFlow(ctx, &cloudv1.PublishFlowRequest{Document: "{"}); lint.Findings[0].MessageKey != "flow.unreadable" {
		t.Errorf("%v", lint)
	}
	// Another tenant's queue is no queue of this one.
	_, err = o.PublishFlow(other, &cloudv1.PublishFlowRequest{Name: "stolen", Document: main.Document})
	wantFault(t, err, fault.Invalid, "fault.flow.has_errors")
	_, err = o.PublishFlow(other, &cloudv1.PublishFlowRequest{Id: main.Id, Document: string(flow.Default("en", "x"))})
	wantFault(t, err, fault.Invalid, "fault.flow.has_errors")
	second, err := o.PublishFlow(ctx, &cloudv1.PublishFlowRequest{Id: main.Id, Document: strings.Replace(main.Document, "4000", "6000", 1)})
	if err != nil || second.PublishedVersion != "2" || second.PublishedBy != "Owner of one" || second.Name != main.Name {
		t.Fatalf("%v, %v", second, err)
	}
	if f := o.snapshot(tenant).Flows[0]; f.Version != "2" || !bytes.Contains(f.Document, []byte("6000")) {
		t.Errorf("%v", f)
	}
	n, err := tenantdb.One[int](t.Context(), o.db, tenant, "SELECT count(*)::int FROM flow_versions")
	if err != nil || n != 2 {
		t.Errorf("%d versions, %v", n, err)
	}
	if _, err := tenantdb.Exec(t.Context(), o.db, tenant, "UPDATE flow_versions SET document = 'x'"); err == nil {
		t.Error("a version could be changed")
	}
	_, err = o.PublishFlow(ctx, &cloudv1.PublishFlowRequest{Name: main.Name, Document: main.Document})
	wantFault(t, err, fault.Conflict, "fault.flow.name_taken")
}

// tone is a WAV file of a second.
func tone(t *testing.T, hz float64) []byte {
	t.Helper()
	pcm := make([]int16, 8000)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/8000))
	}
	var b bytes.Buffer
	if err := audio.WriteWAV(&b, pcm); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPrompts(t *testing.T) {
	o := newOffice(t)
	tenant, ctx := o.tenant("one", "en")
	two, other := o.tenant("two", "en")
	up := func(ctx context.Context, name string, wav []byte) (*cloudv1.Prompt, error) {
		return o.UploadPrompt(ctx, &cloudv1.UploadPromptRequest{Name: name, Language: "en", Wav: wav})
	}
	find := func(ctx context.Context, name string) *cloudv1.Prompt {
		list, err := o.ListPrompts(ctx, &cloudv1.ListPromptsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list.Prompts {
			if p.Name == name && p.Language == "en" {
				return p
			}
		}
		return nil
	}
	before := find(ctx, "greeting")
	if !before.Included || before.Text == "" || before.DurationMs == 0 {
		t.Errorf("%v", before)
	}
	p, err := up(ctx, "greeting", tone(t, 440))
	if err != nil || p.Included || p.DurationMs != 1000 {
		t.Fatalf("%v, %v", p, err)
	}
	if got := find(ctx, "greeting"); got.Hash != p.Hash || got.Included || got.Text != before.Text {
		t.Errorf("%v", got)
	}
	if got := find(other, "greeting"); !got.Included {
		t.Errorf("another tenant's greeting: %v", got)
	}
	c := o.snapshot(tenant)
	if len(c.Prompts) != 1 || c.Prompts[0].Hash != p.Hash {
		t.Errorf("%v", c.Prompts)
	}
	blob, err := o.Blob(t.Context(), tenant, p.Hash)
	if err != nil || len(blob) != 8000 || hashOf(blob) != p.Hash {
		t.Errorf("%d bytes, %v", len(blob), err)
	}
	_, err = o.Blob(t.Context(), two, p.Hash)
	wantFault(t, err, fault.NotFound, "fault.blob.not_found")
	if b, err := o.Blob(t.Context(), two, before.Hash); err != nil || hashOf(b) != before.Hash {
		t.Errorf("an included prompt by its hash: %v", err)
	}
	heard, err := o.GetPromptAudio(ctx, &cloudv1.GetPromptAudioRequest{Name: "greeting", Language: "en"})
	if err != nil || len(heard.Wav) != 44+16000 {
		t.Errorf("%v", err)
	}
	if got, err := o.ResetPrompt(ctx, &cloudv1.ResetPromptRequest{Name: "greeting", Language: "en"}); err != nil || got.Hash != before.Hash {
		t.Errorf("%v, %v", got, err)
	}
	_, err = o.ResetPrompt(ctx, &cloudv1.ResetPromptRequest{Name: "greeting", Language: "en"})
	wantFault(t, err, fault.NotFound, "fault.prompt.not_found")
}

func TestUploadRefuses(t *testing.T) {
	o := newOffice(t)
	_, ctx := o.tenant("one", "en")
	long := append(audio.WAVHeader(1, 8000*301), make([]byte, 2*8000*301)...)
	for key, wav := range map[string][]byte{
		"fault.prompt.not_wav": []byte("an mp3"), "fault.prompt.too_long": long, "fault.prompt.empty": audio.WAVHeader(1, 0),
	} {
		_, err := o.UploadPrompt(ctx, &cloudv1.UploadPromptRequest{Name: "hello", Language: "en", Wav: wav})
		wantFault(t, err, fault.Invalid, key)
	}
	_, err := o.UploadPrompt(ctx, &cloudv1.UploadPromptRequest{Name: "../x", Language: "en", Wav: tone(t, 440)})
	wantFault(t, err, fault.Invalid, "fault.prompt.name")
}

func TestAPromptInUseStays(t *testing.T) {
	o := newOffice(t)
	_, ctx := o.tenant("one", "en")
	if _, err := o.UploadPrompt(ctx, &cloudv1.UploadPromptRequest{Name: "hello", Language: "en", Wav: tone(t, 440)}); err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(map[string]any{"schema": 1, "language": "en", "start": "a", "nodes": map[string]any{
		"a": map[string]any{"type": "play", "prompt": "hello", "next": "e"}, "e": map[string]any{"type": "hangup"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.PublishFlow(ctx, &cloudv1.PublishFlowRequest{Name: "Hello", Document: string(doc)}); err != nil {
		t.Fatal(err)
	}
	_, err = o.ResetPrompt(ctx, &cloudv1.ResetPromptRequest{Name: "hello", Language: "en"})
	wantFault(t, err, fault.Conflict, "fault.prompt.in_use")
}

func TestSettings(t *testing.T) {
	o := newOffice(t)
	tenant, ctx := o.tenant("one", "en")
	x, err := o.GetSettings(ctx, &cloudv1.GetSettingsRequest{})
	if err != nil || x.Company != "one" || x.ServiceLevelTargetPct != 80 {
		t.Fatalf("%v, %v", x, err)
	}
	kept := x.WrapUpCodes[0].Id
	x.WrapUpCodes[0].Name = "Done"
	x.WrapUpCodes = append(x.WrapUpCodes[:1], &cloudv1.Code{Name: "New"})
	x.Company, x.TimeZone, x.ServiceLevelS = "Uno", "Europe/Berlin", 30
	saved, err := o.SaveSettings(ctx, &cloudv1.SaveSettingsRequest{Settings: x})
	if err != nil || saved.WrapUpCodes[0].Id != kept || saved.WrapUpCodes[1].Id == "" {
		t.Fatalf("%v, %v", saved, err)
	}
	c := o.snapshot(tenant)
	if c.TenantName != "Uno" || c.TimeZone != "Europe/Berlin" || c.ServiceLevelMs != 30_000 || len(c.WrapUpCodes) != 2 {
		t.Errorf("%v", c)
	}
	for field, change := range map[string]func(*cloudv1.Settings){
		"settings.company":               func(s *cloudv1.Settings) { s.Company = " " },
		"settings.language":              func(s *cloudv1.Settings) { s.Language = "fr" },
		"settings.time_zone":             func(s *cloudv1.Settings) { s.TimeZone = "Mars" },
		"settings.break_reasons[1].name": func(s *cloudv1.Settings) { s.BreakReasons[1].Name = s.BreakReasons[0].Name },
	} {
		bad, err := o.GetSettings(ctx, &cloudv1.GetSettingsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		change(bad)
		_, err = o.SaveSettings(ctx, &cloudv1.SaveSettingsRequest{Settings: bad})
		if f := fault.Of(err); err == nil || f.Kind != fault.Invalid || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestDialling(t *testing.T) {
	o := newOffice(t)
	tenant, ctx := o.tenant("one", "en")
	other, _ := o.tenant("two", "en")
	x, err := o.GetDialling(ctx, &cloudv1.GetDiallingRequest{})
	if err != nil || x.Enabled || len(x.Prefixes) != 0 || x.MaxCalls != 5 || x.SharedCalls != 0 {
		t.Fatalf("a new tenant may call %v, %v", x, err)
	}
	saved, err := o.SaveDialling(ctx, &cloudv1.SaveDiallingRequest{Dialling: &cloudv1.Dialling{
		Enabled: true, Prefixes: []string{"0049 40", "+49 (30)", "+4930"}, MaxCalls: 3, SharedCalls: 1000,
	}})
	if err != nil || !slices.Equal(saved.Prefixes, []string{"+4930", "+4940"}) || saved.SharedCalls != 0 {
		t.Fatalf("%v, %v", saved, err)
	}
	if err := o.GrantCalls(t.Context(), "one", 2); err != nil {
		t.Fatal(err)
	}
	wantFault(t, o.GrantCalls(t.Context(), "nobody", 2), fault.NotFound, "fault.tenant.not_found")
	if d := o.snapshot(tenant).Dialling; !d.Enabled || len(d.Prefixes) != 2 || d.MaxCalls != 3 || d.SharedCalls != 2 {
		t.Errorf("the site is told %v", d)
	}
	if d := o.snapshot(other).Dialling; d.Enabled || d.SharedCalls != 0 {
		t.Errorf("another tenant may call %v", d)
	}
	for key, bad := range map[string]*cloudv1.Dialling{
		"fault.dialling.prefix":  {Enabled: true, Prefixes: []string{"+49", "030"}, MaxCalls: 1},
		"fault.dialling.nothing": {Enabled: true, MaxCalls: 1},
		"fault.field.too_many":   {Enabled: true, Prefixes: make([]string, 201), MaxCalls: 1},
	} {
		_, err := o.SaveDialling(ctx, &cloudv1.SaveDiallingRequest{Dialling: bad})
		wantFault(t, err, fault.Invalid, key)
	}
	if d := o.snapshot(tenant).Dialling; !d.Enabled || d.MaxCalls != 3 {
		t.Errorf("what was refused has changed it: %v", d)
	}
}
