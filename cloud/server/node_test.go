package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"trunkline/cloud/sites"
	"trunkline/internal/chain"
	"trunkline/internal/fault"
	"trunkline/internal/join"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

// edge is a node as the cloud sees one: it joins by the real way, with the CA
// checked against the token, and calls by mutual TLS.
type edge struct {
	h     *harness
	t     *testing.T
	addr  string // the node port
	name  string
	pool  *x509.CertPool
	joins *http.Client
	http  *http.Client // with the certificate, once joined
	key   *ecdsa.PrivateKey
	site  *edgev1.JoinResponse
}

// newEdge finds the node port and checks that it shows the token's CA.
func (h *harness) newEdge(t *testing.T, name string, token join.Token) *edge {
	t.Helper()
	res, err := http.Get(h.url + join.WellKnown) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var d join.Discovery
	if err := json.NewDecoder(res.Body).Decode(&d); err != nil {
		t.Fatal(err)
	}
	e := &edge{h: h, t: t, addr: d.NodeAddr, name: name, pool: x509.NewCertPool()}
	conn, err := tls.Dial("tcp", d.NodeAddr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}) //nolint:gosec // checked below
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	shown := conn.ConnectionState().PeerCertificates
	ca := shown[len(shown)-1]
	if sha256.Sum256(ca.Raw) != token.CA {
		t.Fatal("the node port shows another CA than the token names")
	}
	e.pool.AddCert(ca)
	if e.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	e.joins = e.client()
	return e
}

func (e *edge) client(certificates ...tls.Certificate) *http.Client {
	tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
		RootCAs: e.pool, ServerName: join.ServerName, MinVersion: tls.VersionTLS13, Certificates: certificates,
	}}
	e.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func (e *edge) url() string { return "https://" + e.addr }

func (e *edge) join(token string) (*edgev1.JoinResponse, error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, e.key)
	if err != nil {
		return nil, err
	}
	out, err := edgev1connect.NewJoinServiceClient(e.joins, e.url()).Join(e.t.Context(), &edgev1.JoinRequest{
		Token: token, Csr: csr, NodeName: e.name, NodeAddr: "127.0.0.1:9999", WebUrl: "http://" + e.name + ".example:8411", Version: "test",
	})
	if err == nil {
		e.site, e.http = out, e.client(tls.Certificate{Certificate: out.CertificateChain, PrivateKey: e.key})
	}
	return out, err
}

func (e *edge) fleet() edgev1connect.FleetServiceClient {
	return edgev1connect.NewFleetServiceClient(e.http, e.url())
}

func (e *edge) report(r *edgev1.ReportNodeRequest) {
	e.t.Helper()
	r.Node = e.name
	if _, err := e.fleet().ReportNode(e.t.Context(), r); err != nil {
		e.t.Fatal(fault.Of(err))
	}
}

// joinHosted makes a node of a hosted site.
func (h *harness) joinHosted(t *testing.T, site, name string) *edge {
	t.Helper()
	text, _, err := sites.NewAdmin(h.Server.db, h.features.routing).Token(t.Context(), site, h.features.fleet.authority.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	token, err := join.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	e := h.newEdge(t, name, token)
	if _, err := e.join(text); err != nil {
		t.Fatal(fault.Of(err))
	}
	return e
}

// livingSite gives the owner a hosted site with a node that is up.
func (w *world) livingSite(t *testing.T) {
	t.Helper()
	name := w.next("hosted")
	w.hosted(t, name)
	w.joinHosted(t, name, "n1").report(&edgev1.ReportNodeRequest{Leader: true})
	if _, err := w.owner.sites().UseHostedSite(t.Context(), &cloudv1.UseHostedSiteRequest{}); err != nil {
		t.Fatal(err)
	}
}

func TestFromSignUpToTheFirstFact(t *testing.T) {
	h := newHarness(t)
	owner := h.signUp("owner@one.example", "One")
	site := h.hosted(t, "demo")
	n1 := h.joinHosted(t, "demo", "n1")
	if !n1.site.Bootstrap || h.joinHosted(t, "demo", "n2").site.Bootstrap {
		t.Error("the first node begins the group, and it alone")
	}
	updates, err := n1.fleet().Watch(t.Context(), &edgev1.WatchRequest{Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	defer updates.Close()
	next := func(f func(*edgev1.SiteUpdate) bool) {
		t.Helper()
		for updates.Receive() {
			if f(updates.Msg()) {
				return
			}
		}
		t.Fatal(updates.Err())
	}
	n1.report(&edgev1.ReportNodeRequest{Leader: true, Version: "test"})
	checklist := func() map[string]string {
		t.Helper()
		c, err := cloudv1connect.NewOnboardingServiceClient(owner.http, h.url).GetChecklist(t.Context(), &cloudv1.GetChecklistRequest{})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, s := range c.Steps {
			out[s.Id] = s.Status
		}
		return out
	}
	if got := checklist(); got["site"] != "open" || got["test_call"] != "open" {
		t.Errorf("before anything: %v", got)
	}
	_, err = cloudv1connect.NewOnboardingServiceClient(owner.http, h.url).StartTestCall(t.Context(), &cloudv1.StartTestCallRequest{})
	wantFault(t, err, fault.Conflict, "fault.onboarding.no_site")

	if _, err := owner.sites().UseHostedSite(t.Context(), &cloudv1.UseHostedSiteRequest{}); err != nil {
		t.Fatal(err)
	}
	used := time.Now()
	var manifest string
	next(func(u *edgev1.SiteUpdate) bool {
		for _, x := range u.GetConfig().GetTenants() {
			manifest = x.Manifest
		}
		return manifest != ""
	})
	if took := time.Since(used); took > time.Second {
		t.Errorf("the site heard of the tenant after %v", took)
	}
	if got := checklist(); got["site"] != "done" {
		t.Errorf("with a site: %v", got)
	}
	res, err := n1.fleet().GetTenantConfig(t.Context(), &edgev1.GetTenantConfigRequest{TenantId: owner.tenant(), Manifest: manifest})
	if err != nil {
		t.Fatal(err)
	}
	var config edgev1.TenantConfig
	if err := proto.Unmarshal(res.Config, &config); err != nil {
		t.Fatal(err)
	}
	if config.TenantName != "One" || len(config.Queues) != 1 || len(config.Flows) != 1 || len(config.Agents) != 1 || len(config.RecordingPublicKey) == 0 {
		t.Errorf("%v", &config)
	}

	call, err := cloudv1connect.NewOnboardingServiceClient(owner.http, h.url).StartTestCall(t.Context(), &cloudv1.StartTestCallRequest{})
	if err != nil || len(call.NodeUrls) != 1 || call.NodeUrls[0] != "http://n1.example:8411" {
		t.Fatalf("%v, %v", call, err)
	}
	next(func(u *edgev1.SiteUpdate) bool {
		item := u.GetInbox()
		if item == nil {
			return false
		}
		var ticket edgev1.TestCallTicket
		if err := proto.Unmarshal(item.Body, &ticket); err != nil {
			t.Fatal(err)
		}
		if hash := sha256.Sum256([]byte(call.Ticket)); string(ticket.TicketHash) != string(hash[:]) || ticket.FlowId != config.Flows[0].FlowId {
			t.Errorf("%v", &ticket)
		}
		return true
	})

	body, err := proto.Marshal(&edgev1.CallRecord{
		CallId: "0192f0c4-0000-7000-8000-000000000001", Direction: "in", Node: "n1", Test: true,
		StartedAt: used.UnixMicro(), AnsweredAt: used.UnixMicro(), EndedAt: used.Add(time.Second).UnixMicro(), EndedBy: "caller",
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &edgev1.Fact{TenantId: owner.tenant(), Epoch: 1, Seq: 1, Kind: "call", At: used.UnixMicro(), Body: body}
	f.Hash = chain.Hash(nil, f.Epoch, f.Seq, f.Kind, f.At, f.Body)
	push, err := n1.fleet().PushFacts(t.Context(), &edgev1.PushFactsRequest{TenantId: owner.tenant(), Epoch: 1, Facts: []*edgev1.Fact{f}})
	if err != nil || push.HighWater != 1 || push.Quarantined != 0 {
		t.Fatalf("%v, %v", push, err)
	}
	if got := checklist(); got["test_call"] != "done" {
		t.Errorf("after the call: %v", got)
	}
	if list, err := owner.sites().ListSites(t.Context(), &cloudv1.ListSitesRequest{}); err != nil || len(list.Sites) != 1 || list.Sites[0].Id != site || list.Sites[0].Status != "healthy" {
		t.Errorf("%v, %v", list, err)
	}
}

func TestTheNodePortRefuses(t *testing.T) {
	h := newHarness(t)
	h.hosted(t, "demo")
	n1 := h.joinHosted(t, "demo", "n1")
	nobody := edgev1connect.NewFleetServiceClient(n1.joins, n1.url())
	_, err := nobody.ReportNode(t.Context(), &edgev1.ReportNodeRequest{})
	wantFault(t, err, fault.Unauthenticated, "fault.node.certificate_missing")
	// A new join under the same name ends the certificate before.
	h.joinHosted(t, "demo", "n1")
	n1.http.CloseIdleConnections()
	if _, err := n1.fleet().ReportNode(t.Context(), &edgev1.ReportNodeRequest{}); err == nil {
		t.Error("a replaced certificate was taken")
	}
	// The web address does not serve nodes, the node port no people.
	if _, err := edgev1connect.NewFleetServiceClient(http.DefaultClient, h.url).ReportNode(t.Context(), &edgev1.ReportNodeRequest{}); err == nil {
		t.Error("the fleet is on the web address")
	}
	if _, err := cloudv1connect.NewSiteServiceClient(n1.joins, n1.url()).ListSites(t.Context(), &cloudv1.ListSitesRequest{}); err == nil {
		t.Error("people's services are on the node port")
	}
}

func TestWatchSiteShowsJoinsAndRefusedCallsLive(t *testing.T) {
	h := newHarness(t)
	owner := h.signUp("owner@one.example", "One")
	s, err := owner.sites().CreateSite(t.Context(), &cloudv1.CreateSiteRequest{Name: "Berlin"})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := owner.sites().CreateJoinToken(t.Context(), &cloudv1.CreateJoinTokenRequest{SiteId: s.Id})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := owner.sites().WatchSite(t.Context(), &cloudv1.WatchSiteRequest{Id: s.Id})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	until := func(what string, f func(*cloudv1.WatchSiteResponse) bool) {
		t.Helper()
		for began := time.Now(); stream.Receive(); {
			if f(stream.Msg()) {
				return
			}
			if time.Since(began) > 10*time.Second {
				break
			}
		}
		t.Fatalf("never saw %s: %v", what, stream.Err())
	}
	until("an empty site", func(m *cloudv1.WatchSiteResponse) bool { return m.Site.Status == "waiting_for_nodes" })
	parsed, err := join.Parse(tok.Token)
	if err != nil {
		t.Fatal(err)
	}
	n1 := h.newEdge(t, "n1", parsed)
	_, err = edgev1connect.NewJoinServiceClient(n1.joins, n1.url()).ReportJoin(t.Context(), &edgev1.ReportJoinRequest{
		Token: tok.Token, NodeName: "n1", Step: "clock", Message: "3 s ahead", Failed: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	until("the step", func(m *cloudv1.WatchSiteResponse) bool { return len(m.JoinLog) == 1 && m.JoinLog[0].Failed })
	if _, err := n1.join(tok.Token); err != nil {
		t.Fatal(err)
	}
	until("the node", func(m *cloudv1.WatchSiteResponse) bool {
		return len(m.Site.Nodes) == 1 && m.Site.Nodes[0].Status == "joining" && m.Site.Nodes[0].CertificateExpiresAt != nil
	})
	n1.report(&edgev1.ReportNodeRequest{Refused: []*edgev1.RefusedInvite{{Source: "192.0.2.1", Called: "+4930", Reason: "address_not_listed", Status: 403}}})
	until("the refused call", func(m *cloudv1.WatchSiteResponse) bool {
		return len(m.Refused) == 1 && m.Refused[0].Reason == "address_not_listed" && m.Site.Status == "healthy"
	})
	n2 := h.newEdge(t, "n2", parsed)
	_, err = n2.join(tok.Token)
	wantFault(t, err, fault.Conflict, "fault.join.token_spent")
}

func TestMembersReachTheSite(t *testing.T) {
	h := newHarness(t)
	owner := h.signUp("owner@one.example", "One")
	h.hosted(t, "demo")
	n1 := h.joinHosted(t, "demo", "n1")
	if _, err := owner.sites().UseHostedSite(t.Context(), &cloudv1.UseHostedSiteRequest{}); err != nil {
		t.Fatal(err)
	}
	updates, err := n1.fleet().Watch(t.Context(), &edgev1.WatchRequest{Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	defer updates.Close()
	agents := func(want int) []*edgev1.AgentProfile {
		t.Helper()
		for updates.Receive() {
			for _, x := range updates.Msg().GetConfig().GetTenants() {
				res, err := n1.fleet().GetTenantConfig(t.Context(), &edgev1.GetTenantConfigRequest{TenantId: x.TenantId, Manifest: x.Manifest})
				if err != nil {
					t.Fatal(err)
				}
				var c edgev1.TenantConfig
				if err := proto.Unmarshal(res.Config, &c); err != nil {
					t.Fatal(err)
				}
				if len(c.Agents) == want {
					return c.Agents
				}
			}
		}
		t.Fatal(fmt.Errorf("%w", updates.Err()))
		return nil
	}
	agents(1)
	agent := owner.invite("agent@one.example", "agent")
	for _, a := range agents(2) {
		if a.Id == agent.me.Membership.Id && (a.Email != "agent@one.example" || len(a.QueueIds) != 1 || a.Roles[0] != "agent") {
			t.Errorf("%v", a)
		}
	}
}
