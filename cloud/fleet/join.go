package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/internal/join"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Discovery answers join.WellKnown on the web address: where the node port is.
func (s *Service) Discovery() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(join.Discovery{NodeAddr: s.cfg.NodeAddr(), Version: s.cfg.Version, Time: s.now().UnixMicro()})
	})
}

// token reads a join token and checks that it was made for this cloud.
func (s *Service) token(text string) (join.Token, error) {
	t, err := join.Parse(text)
	if err != nil {
		return t, fault.New(fault.Invalid, "fault.join.token_malformed").WithField("token").WithAction("action.new_join_token")
	}
	if t.CA != sha256.Sum256(s.cfg.Authority.Certificate()) {
		return t, fault.New(fault.Invalid, "fault.join.token_of_another_cloud").WithField("token")
	}
	return t, nil
}

// Join spends a token: the node gets its certificate and what its site knows.
func (s *Service) Join(ctx context.Context, req *edgev1.JoinRequest) (*edgev1.JoinResponse, error) {
	t, err := s.token(req.Token)
	if err != nil {
		return nil, err
	}
	if err := checkJoin(req); err != nil {
		return nil, err
	}
	csr, err := ParseRequest(req.Csr)
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(csr.Key())
	var issued Issued
	out, err := s.cfg.Registry.Join(ctx, t.Hash(), key[:], req, func(site string) (string, time.Time, error) {
		issued, err = s.cfg.Authority.IssueNode(csr, site, req.NodeName)
		return issued.Serial, issued.Expires, err
	})
	if err != nil {
		return nil, err
	}
	s.good.forget(out.SiteId, req.NodeName)
	out.CertificateChain, out.Ca = issued.Chain, s.cfg.Authority.Certificate()
	out.Config, err = s.siteConfig(ctx, out.SiteId)
	s.log.InfoContext(ctx, "node joined", "site", out.SiteId, "node", req.NodeName, "bootstrap", out.Bootstrap)
	return out, err
}

// siteConfig gives what the site knows at first contact: nodes and trunks.
// Manifests come with Watch.
func (s *Service) siteConfig(ctx context.Context, site string) (out *edgev1.SiteConfig, err error) {
	err = s.db.Platform(ctx, "fleet: site configuration", func(ctx context.Context, tx pgx.Tx) error {
		out, err = s.cfg.Registry.SiteConfig(ctx, tx, site)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.addPlatform(out)
	return out, nil
}

func (s *Service) addPlatform(c *edgev1.SiteConfig) {
	c.TokenKeys = map[string][]byte{}
	for kid, key := range s.cfg.TokenKeys() {
		c.TokenKeys[kid] = key
	}
	c.AllowedOrigins = s.cfg.Origins()
}

func checkJoin(req *edgev1.JoinRequest) error {
	if !join.ValidNodeName(req.NodeName) {
		return fault.New(fault.Invalid, "fault.join.node_name").WithField("node_name")
	}
	if !hostPort(req.NodeAddr) {
		return fault.New(fault.Invalid, "fault.join.address").WithField("node_addr")
	}
	if req.SipAddr != "" && !hostPort(req.SipAddr) {
		return fault.New(fault.Invalid, "fault.join.address").WithField("sip_addr")
	}
	if req.WebUrl != "" {
		u, err := url.Parse(req.WebUrl)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return fault.New(fault.Invalid, "fault.join.web_url").WithField("web_url")
		}
		req.WebUrl = strings.TrimSuffix(u.String(), "/")
	}
	return nil
}

func hostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, perr := strconv.Atoi(port)
	return err == nil && perr == nil && n > 0 && n < 65536 && host != "" && len(host) <= 253 && !strings.ContainsAny(host, " \t\r\n/@")
}

// ReportJoin adds a line to the site's join log.
func (s *Service) ReportJoin(ctx context.Context, req *edgev1.ReportJoinRequest) (*edgev1.Done, error) {
	t, err := s.token(req.Token)
	if err != nil {
		return nil, err
	}
	if !join.ValidNodeName(req.NodeName) {
		return nil, fault.New(fault.Invalid, "fault.join.node_name").WithField("node_name")
	}
	if req.Step == "" || len(req.Step) > 60 {
		return nil, fault.New(fault.Invalid, "fault.field.required").WithField("step")
	}
	if err := s.cfg.Registry.LogJoin(ctx, t.Hash(), req); err != nil {
		return nil, err
	}
	return &edgev1.Done{}, nil
}

// RenewCertificate signs a new certificate for the calling node.
func (s *Service) RenewCertificate(ctx context.Context, req *edgev1.RenewCertificateRequest) (*edgev1.RenewCertificateResponse, error) {
	id, err := s.node(ctx)
	if err != nil {
		return nil, err
	}
	csr, err := ParseRequest(req.Csr)
	if err != nil {
		return nil, err
	}
	issued, err := s.cfg.Authority.IssueNode(csr, id.Site, id.Node)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Registry.Renewed(ctx, id.Site, id.Node, issued.Serial, issued.Expires); err != nil {
		return nil, err
	}
	return &edgev1.RenewCertificateResponse{CertificateChain: issued.Chain, Ca: s.cfg.Authority.Certificate()}, nil
}
