package fleet

import (
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"time"

	"trunkline/internal/fault"
	"trunkline/internal/join"
	"trunkline/internal/rpcx"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

func TestJoinGivesACertificateOfOurCA(t *testing.T) {
	c := newCloud(t)
	svc := edgev1connect.NewJoinServiceClient(c.http, c.url)
	tok := join.NewToken(c.cfg.Authority.Certificate())
	req := &edgev1.JoinRequest{
		Token: tok.String(), Csr: csr(t, p256(t)), NodeName: "n1", NodeAddr: "10.0.0.1:9401", WebUrl: "https://n1.example/", Version: "1",
	}
	out, err := svc.Join(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(out.Ca) != tok.CA || !out.Bootstrap || out.Epoch != 1 || out.Config.SiteId != "site-1" || len(out.Config.TokenKeys) != 1 {
		t.Errorf("%v", out)
	}
	ca, err := x509.ParseCertificate(out.Ca)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(out.CertificateChain[0])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if leaf.URIs[0].String() != join.NodeURI("site-1", "n1").String() {
		t.Errorf("%v", leaf.URIs)
	}
}

func TestJoinRefuses(t *testing.T) {
	c := newCloud(t)
	svc := edgev1connect.NewJoinServiceClient(c.http, c.url)
	good := join.NewToken(c.cfg.Authority.Certificate()).String()
	for key, change := range map[string]func(*edgev1.JoinRequest){
		"fault.join.token_malformed":        func(r *edgev1.JoinRequest) { r.Token = "tlj1_x" },
		"fault.join.token_of_another_cloud": func(r *edgev1.JoinRequest) { r.Token = join.NewToken([]byte("other")).String() },
		"fault.join.node_name":              func(r *edgev1.JoinRequest) { r.NodeName = "Node 1" },
		"fault.join.address":                func(r *edgev1.JoinRequest) { r.NodeAddr = "10.0.0.1" },
		"fault.join.web_url":                func(r *edgev1.JoinRequest) { r.WebUrl = "javascript:alert(1)" },
		"fault.join.bad_request":            func(r *edgev1.JoinRequest) { r.Csr = []byte("x") },
	} {
		req := &edgev1.JoinRequest{Token: good, Csr: csr(t, p256(t)), NodeName: "n1", NodeAddr: "10.0.0.1:9401"}
		change(req)
		_, err := svc.Join(t.Context(), req)
		wantFault(t, err, fault.Invalid, key)
	}
}

func TestRenewal(t *testing.T) {
	c := newCloud(t)
	out, err := c.fleet().RenewCertificate(t.Context(), &edgev1.RenewCertificateRequest{Csr: csr(t, p256(t))})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(out.CertificateChain[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckCertificate("site-1", "n1", leaf.SerialNumber.Text(16)); err != nil {
		t.Errorf("the new certificate: %v", err)
	}
	if err := c.CheckCertificate("site-1", "n1", "old"); err == nil {
		t.Error("a replaced certificate was taken")
	}
	if err := c.CheckCertificate("site-1", "n1", "no database"); err != nil {
		t.Errorf("while the database is away: %v", err)
	}
	// A connection of before does not live on.
	c.registry.set(func() { c.registry.valid = nil })
	id := rpcx.NodeIdentity{Site: "site-1", Node: "n1", Serial: leaf.SerialNumber.Text(16)}
	ctx := rpcx.WithCaller(t.Context(), rpcx.Caller{Node: &id})
	if _, err := c.node(ctx); err != nil {
		t.Errorf("looked at a moment ago: %v", err)
	}
	c.now = func() time.Time { return time.Now().Add(goodFor) }
	_, err = c.node(ctx)
	wantFault(t, err, fault.Unauthenticated, "fault.node.certificate_replaced")
}
