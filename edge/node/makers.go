package node

import (
	"context"
	"crypto/ed25519"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"trunkline/edge/call"
	"trunkline/edge/enroll"
	"trunkline/edge/sip"
	"trunkline/edge/uplink"
	"trunkline/internal/life"
	"trunkline/internal/rpcx"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

type ed25519Key = ed25519.PublicKey

func (n *Node) makeSIP(g *life.Group) error {
	self := n.cfg.Enrolment.Node()
	first, last, err := enroll.PortRange(self.Listen.MediaPorts)
	if err != nil {
		return err
	}
	n.sip, err = sip.New(sip.Config{
		UDP: n.sockets.sipUDP, TCP: n.sockets.sipTCP, Advertised: self.Public.SIP,
		MediaIP: addrOf(self.Listen.MediaIP), AdvertisedIP: addrOf(self.Public.IP),
		MediaPortMin: uint16(first), MediaPortMax: uint16(last),
		Trunks: func() []sip.Trunk { return n.dir.Load().trunks },
		Tenant: func(called string) sip.Tenant { return n.dir.Load().tenantOf(called) },
		Resolve: func(callID, _ string) bool {
			// Another node's, or ours and not restored yet.
			_, ok := n.replica.View().CallBySIP(callID)
			return ok
		},
		OnRefused: func(r sip.Refusal) { n.refused.add(r); n.wakeUplink() },
		Metrics:   prometheus.DefaultRegisterer, Log: n.log, NodeName: self.Name,
	}, n)
	if err != nil {
		return err
	}
	g.Add("SIP", n.sip)
	return nil
}

// site shows the node to the uplink.
type site struct{ *Node }

func (s site) View() uplink.View { return s.replica.View() }
func (s site) IsLeader() bool    { _, self := s.replica.Leader(); return self }
func (s site) Now() int64        { return s.replica.Now() }

func (s site) Apply(ctx context.Context, key string, cmd call.Command) (call.Result, error) {
	return s.replica.Apply(ctx, key, cmd)
}

func (s site) ApplyLate(ctx context.Context, key string, cmd call.Command) (call.Result, error) {
	return s.replica.ApplyLate(ctx, key, cmd)
}

func (n *Node) makeUplink(g *life.Group) error {
	e := n.cfg.Enrolment
	var err error
	n.uplink, err = uplink.New(uplink.Config{
		Node: n.cfg.Name, CloudAddr: e.Node().CloudNode, FindCloud: n.findCloud,
		TLS: e.CloudTLS, Certificate: e.Certificate, Site: site{n}, Store: n.configs, Peers: blobPeers{n},
		Recordings: uploads{n}, RelayChanged: n.phones.AgentChanged, Log: n.log,
	})
	if err != nil {
		return err
	}
	g.Add("uplink", n.uplink)
	g.Add("certificate", e.Renewer(n.uplink, n.log))
	return nil
}

// findCloud asks the cloud's web address where its node port is now.
func (n *Node) findCloud(ctx context.Context) (string, error) {
	cloud, err := enroll.ParseCloud(n.cfg.Enrolment.Node().Cloud)
	if err != nil {
		return "", err
	}
	found, err := enroll.Discover(ctx, http.DefaultClient, cloud)
	if err != nil {
		return "", err
	}
	return found.NodeAddr, n.cfg.Enrolment.SetCloudNode(found.NodeAddr)
}

func (n *Node) mountPeers() {
	opts := rpcx.Options(rpcx.Config{Authenticate: n.peerCaller, Log: n.log, MaxBytes: map[string]int{
		edgev1connect.NodeServiceApplyProcedure:         8 << 20,
		edgev1connect.NodeServiceCopyRecordingProcedure: 4 << 20,
	}})
	path, h := edgev1connect.NewNodeServiceHandler(peerService{RPC: n.replica.RPC(), n: n}, opts...)
	n.port.Handle(path, h)
}

const headerTimeout = 5 * time.Second

// serveOn is a service that serves HTTP on an open listener.
func serveOn(l net.Listener, h http.Handler) life.Service {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout}
	return life.Funcs{
		OnStart: func(context.Context) error {
			go func() { _ = srv.Serve(l) }()
			return nil
		},
		// Streams are ended, not waited for: browsers go to another node.
		OnStop: func(context.Context) error { return srv.Close() },
	}
}

func (n *Node) webServer() life.Service { return serveOn(n.sockets.web, n.webHandler()) }
