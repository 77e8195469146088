package server

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"trunkline/internal/fault"
	"trunkline/internal/grant"
	"trunkline/internal/rpcx"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	_ "trunkline/proto/gen/trunkline/cloud/v1" // its methods are walked, too
)

// The walk over every RPC of the cloud: each has a permission and a fixture; the
// fixture's request succeeds for its owner, and the very same request from
// another tenant, from a role without the permission and from nobody fails and
// leaves no trace. An RPC without a fixture fails the walk.
//
// A feature registers its fixtures in fixtures_<feature>_test.go:
//
//	var _ = fixtures(map[string]fixture{
//		cloudv1connect.SiteServiceGetSiteProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
//			return w.owner, &cloudv1.GetSiteRequest{Id: w.site(t)}
//		}},
//	})

// scope says what a foreigner with the same request must get.
type scope string

const (
	// names: the request names something of the owner's tenant. A foreigner gets
	// NotFound (or Forbidden), and no row of either tenant changes.
	names scope = "names"
	// own: the request names nothing; everybody gets their own. No id of the
	// owner's answer may be in the foreigner's, and no row of the owner's changes.
	own scope = "own"
	// account: the same for what belongs to the person rather than the tenant.
	account scope = "account"
	// platform: staff only; an owner of a tenant is forbidden.
	platform scope = "platform"
	// public: nobody has to be signed in. why says what guards it instead.
	public scope = "public"
)

type fixture struct {
	scope scope
	// request prepares, and gives who asks and what; nil person = signed-out.
	request func(t *testing.T, w *world) (*person, proto.Message)
	why     string // public only
	// refused is the kind a foreigner gets, NotFound if empty.
	refused fault.Kind
}

var registry = map[string]fixture{}

// fixtures registers a feature's fixtures by procedure.
func fixtures(all map[string]fixture) struct{} {
	for procedure, f := range all {
		if _, twice := registry[procedure]; twice {
			panic("two fixtures for " + procedure)
		}
		registry[procedure] = f
	}
	return struct{}{}
}

// world is what the walk's requests are about.
type world struct {
	*harness
	owner   *person // of the tenant everything belongs to
	agent   *person // of the same tenant, without rights
	foreign *person // owner of another tenant
	admin   *person // platform staff
	n       int
}

// next makes a name that was not used before.
func (w *world) next(prefix string) string { w.n++; return fmt.Sprintf("%s%d", prefix, w.n) }

func newWorld(t *testing.T) *world {
	w := &world{harness: newHarness(t)}
	w.owner = w.signUp("owner@one.example", "One")
	w.agent = w.owner.invite("agent@one.example", grant.Agent)
	w.foreign = w.signUp("owner@two.example", "Two")
	w.admin = w.platformAdmin("staff@platform.example")
	return w
}

// platformAdmin makes staff, signed in.
func (h *harness) platformAdmin(email string) *person {
	h.t.Helper()
	cfg := Config{DatabaseURL: h.db.App, MigrationURL: h.db.Super}
	if err := CreateAdmin(h.t.Context(), cfg, email, password); err != nil {
		h.t.Fatal(err)
	}
	p := h.person()
	p.take(p.access().SignIn(h.t.Context(), &accessv1.SignInRequest{Email: email, Password: password}))
	return p
}

// methods are all RPCs of the packages people call.
func methods() []protoreflect.MethodDescriptor {
	var out []protoreflect.MethodDescriptor
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if !slices.Contains([]protoreflect.FullName{"trunkline.access.v1", "trunkline.cloud.v1"}, f.Package()) {
			return true
		}
		for i := range f.Services().Len() {
			for j := range f.Services().Get(i).Methods().Len() {
				out = append(out, f.Services().Get(i).Methods().Get(j))
			}
		}
		return true
	})
	slices.SortFunc(out, func(a, b protoreflect.MethodDescriptor) int { return strings.Compare(procedure(a), procedure(b)) })
	return out
}

func procedure(m protoreflect.MethodDescriptor) string {
	return "/" + string(m.Parent().FullName()) + "/" + string(m.Name())
}

func TestEveryMethodKeepsTenantsApart(t *testing.T) {
	all := methods()
	if len(all) < 50 {
		t.Fatalf("only %d methods: the walk is broken", len(all))
	}
	known := map[string]bool{}
	w := newWorld(t)
	for _, m := range all {
		known[procedure(m)] = true
		t.Run(string(m.Parent().Name())+"."+string(m.Name()), func(t *testing.T) {
			permission, err := rpcx.PermissionOf(connect.Spec{Schema: m, Procedure: procedure(m)})
			if err != nil || permission == accessv1.Permission_PERMISSION_UNSPECIFIED {
				t.Fatalf("no permission: %v", err)
			}
			f, ok := registry[procedure(m)]
			if !ok {
				t.Fatal("no fixture: register one in fixtures_<feature>_test.go")
			}
			whole := w.t
			w.t = t // what fails now belongs to this method
			defer func() { w.t = whole }()
			w.walk(t, m, permission, f)
		})
	}
	for p := range registry {
		if !known[p] {
			t.Errorf("a fixture for %s, which is no method", p)
		}
	}
}

func (w *world) walk(t *testing.T, m protoreflect.MethodDescriptor, permission accessv1.Permission, f fixture) {
	w.checkScope(t, permission, f)
	who, req := f.request(t, w)
	if who == nil {
		who = w.person()
	}
	// The foreigners first: the owner's request may use up what it names.
	if f.scope != public {
		before := w.rows(t)
		_, err := w.person().call(t.Context(), w.url, m, req)
		wantKind(t, "nobody", err, fault.Unauthenticated)
		if f.scope != account && !grant.Allowed(grant.Claims{Account: "x", Membership: "x", Tenant: 1, Roles: w.agent.me.Membership.Roles}, permission) {
			_, err := w.agent.call(t.Context(), w.url, m, req)
			wantKind(t, "an agent", err, fault.Forbidden)
		}
		switch f.scope {
		case names:
			refused := f.refused
			if refused == "" {
				refused = fault.NotFound
			}
			_, err := w.foreign.call(t.Context(), w.url, m, req)
			wantKind(t, "another tenant", err, refused)
		case platform:
			_, err := w.foreign.call(t.Context(), w.url, m, req)
			wantKind(t, "an owner", err, fault.Forbidden)
		}
		w.sameRows(t, before)
	}
	answer, err := who.call(t.Context(), w.url, m, req)
	if err != nil {
		t.Fatalf("the owner's request failed: %v", fault.Of(err))
	}
	if f.scope == own || f.scope == account {
		stranger := w.foreign
		if f.scope == account {
			stranger = w.signUp(w.next("stranger")+"@x.example", "Stranger") // it may change their account
		}
		before := w.rows(t)
		theirs, err := stranger.call(t.Context(), w.url, m, req)
		if err == nil {
			noneOf(t, answer, theirs)
		}
		maps.DeleteFunc(before, func(key, _ string) bool { return !strings.HasSuffix(key, fmt.Sprintf(" %d", who.tenant())) })
		w.sameRows(t, before)
	}
}

func (p *person) tenant() int64 { return p.me.GetMembership().GetTenantId() }

// checkScope keeps fixtures honest: a scope must fit the permission.
func (w *world) checkScope(t *testing.T, p accessv1.Permission, f fixture) {
	var fits bool
	switch f.scope {
	case public:
		fits = p == accessv1.Permission_PERMISSION_PUBLIC && f.why != ""
	case account:
		fits = p == accessv1.Permission_PERMISSION_ACCOUNT
	case platform:
		fits = p == accessv1.Permission_PERMISSION_PLATFORM
	case names, own:
		fits = p > accessv1.Permission_PERMISSION_ACCOUNT && p != accessv1.Permission_PERMISSION_PLATFORM
	}
	if !fits {
		t.Fatalf("a fixture of scope %q for %s (a public one needs its reason)", f.scope, p)
	}
}

func wantKind(t *testing.T, who string, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); err == nil || fault.Of(err).Kind != want {
		t.Fatalf("%s: got %q (%v), want %s", who, got, err, want)
	}
}

var idPattern = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// noneOf fails if an id of one answer is in the other.
func noneOf(t *testing.T, owners, theirs proto.Message) {
	t.Helper()
	text := protojson.Format(theirs)
	for _, id := range idPattern.FindAllString(protojson.Format(owners), -1) {
		if strings.Contains(text, id) {
			t.Errorf("%s of the owner's answer is in the foreigner's", id)
		}
	}
}

func (p *person) call(ctx context.Context, url string, m protoreflect.MethodDescriptor, req proto.Message) (proto.Message, error) {
	return call(ctx, p.http, url, m, req)
}

// call calls a method by its descriptor; of a stream it takes the first message.
func call(ctx context.Context, by *http.Client, url string, m protoreflect.MethodDescriptor, req proto.Message) (proto.Message, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	raw, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	in := dynamicpb.NewMessage(m.Input())
	if err := proto.Unmarshal(raw, in); err != nil {
		return nil, err
	}
	client := connect.NewClient[dynamicpb.Message, dynamicpb.Message](by, url+procedure(m), connect.WithSchema(m),
		connect.WithResponseInitializer(func(_ connect.Spec, msg any) error {
			*msg.(*dynamicpb.Message) = *dynamicpb.NewMessage(m.Output()) //nolint:govet // fresh, as connect's documentation has it
			return nil
		}))
	if !m.IsStreamingServer() {
		res, err := client.CallUnary(ctx, connect.NewRequest(in))
		if err != nil {
			return nil, err
		}
		return res.Msg, nil
	}
	stream, err := client.CallServerStream(ctx, connect.NewRequest(in))
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	if !stream.Receive() {
		return nil, stream.Err()
	}
	return stream.Msg(), nil
}

// rows gives a digest of every tenant's rows in every table: "table tenant" ->
// digest. The fixtures' own background work must not change them.
func (w *world) rows(t *testing.T) map[string]string {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, w.harness.db.Super)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relforcerowsecurity ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, name := range tables {
		parts = append(parts, fmt.Sprintf(`SELECT '%s ' || tenant_id, md5(string_agg(md5(x::text), '' ORDER BY md5(x::text))) FROM %s x GROUP BY tenant_id`,
			name, pgx.Identifier{name}.Sanitize()))
	}
	rows, err = conn.Query(ctx, strings.Join(parts, " UNION ALL "))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var key, digest string
	_, err = pgx.ForEachRow(rows, []any{&key, &digest}, func() error { out[key] = digest; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sameRows fails if a row changed since before.
func (w *world) sameRows(t *testing.T, before map[string]string) {
	t.Helper()
	after := w.rows(t)
	for key, digest := range before {
		if after[key] != digest {
			t.Errorf("rows of %s changed", key)
		}
	}
}
