// Package node puts an edge node together: it is the only importer of all edge
// packages and adapts one to the small interface another declares.
//
// Start order, each line needing those above it: sockets; node port and replica
// (this node's part of the site's state); recordings, switchboard, desktops;
// uplink; SIP and web, which let the world in last. Stop is the reverse: first no
// new calls, then the calls are left to their successors, last the replica.
package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"trunkline/edge/call"
	"trunkline/edge/enroll"
	"trunkline/edge/recording"
	"trunkline/edge/replica"
	"trunkline/edge/replica/nodeport"
	"trunkline/edge/sip"
	"trunkline/edge/softphone"
	"trunkline/edge/switchboard"
	"trunkline/edge/uplink"
	"trunkline/internal/durable"
	"trunkline/internal/grant"
	"trunkline/internal/life"
)

// Config is what a node is started with.
type Config struct {
	Enrolment *enroll.Enrolment
	// Timing is the Raft profile: "fast" (also when empty) or "ordinary".
	Timing string
	// ReadyFile, if not empty, gets the ready line as well.
	ReadyFile string
	Version   string
	Log       *slog.Logger

	// Name is the node's; taken from the enrolment.
	Name string
}

// Node is one running edge node.
type Node struct {
	cfg     Config
	log     *slog.Logger
	epoch   uint64
	started time.Time

	dir        atomic.Pointer[directory]
	rules      rules
	configs    *uplink.Store
	grants     *grant.Verifier
	port       *nodeport.Port
	replica    *replica.Replica
	board      *switchboard.Switchboard
	recordings *recording.Store
	leftovers  []recording.Manifest // of an earlier process, to be reported
	phones     *softphone.Service
	webrtc     *softphone.API
	sip        *sip.UA
	uplink     *uplink.Uplink
	sockets    sockets
	refused    refusals
	trunks     trunkWatch
	fatal      chan error

	work       sync.WaitGroup // takeovers and reports under way
	reporting  context.Context
	endReports context.CancelFunc

	mu        sync.Mutex
	claiming  map[string]bool
	following bool // the replica is being followed
	stopping  bool
}

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 15 * time.Second
)

// Run starts the node, says that it is ready on standard output, and stops it in
// order when ctx ends. It returns early when the node cannot go on.
func Run(ctx context.Context, cfg Config) error {
	n, err := newNode(cfg)
	if err != nil {
		return err
	}
	group, err := n.assemble()
	if err != nil {
		return errors.Join(err, n.sockets.close())
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	err = group.Start(starting)
	cancel()
	if err != nil {
		return err
	}
	if err = n.announceReady(); err == nil {
		select {
		case <-ctx.Done():
		case err = <-n.fatal:
		}
	}
	n.log.Info("stopping")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if cfg.ReadyFile != "" {
		_ = os.Remove(cfg.ReadyFile)
	}
	return errors.Join(err, group.Stop(stopping))
}

func newNode(cfg Config) (*Node, error) {
	self := cfg.Enrolment.Node()
	cfg.Name = self.Name
	n := &Node{
		cfg: cfg, log: cfg.Log.With("site", self.Site, "node", self.Name), epoch: uint64(time.Now().UnixMicro()), started: time.Now(),
		claiming: map[string]bool{}, fatal: make(chan error, 1),
	}
	n.reporting, n.endReports = context.WithCancel(context.Background())
	var err error
	if n.configs, err = uplink.OpenStore(cfg.Enrolment.Dir(), cfg.Enrolment.SiteFile(), n.log); err != nil {
		return nil, err
	}
	n.rules = rules{dir: &n.dir, cfgs: n.configs}
	n.dir.Store(newDirectory(n.configs.Site(), n.configs, nil, n.log))
	n.grants = grant.NewVerifier(func() map[string]ed25519Key { return n.dir.Load().keys })
	n.configs.OnChange(n.configChanged)
	if n.sockets, err = openSockets(self.Listen); err != nil {
		return nil, err
	}
	return n, nil
}

// assemble makes every part and puts them in the order they start.
func (n *Node) assemble() (*life.Group, error) {
	g := &life.Group{}
	if err := n.makeReplica(g); err != nil {
		return nil, err
	}
	if err := n.makeCalls(g); err != nil {
		return nil, err
	}
	if err := n.makeUplink(g); err != nil {
		return nil, err
	}
	g.Add("membership", life.Funcs{OnStart: n.replica.WaitReady})
	if err := n.makeSIP(g); err != nil {
		return nil, err
	}
	g.Add("copies", life.Loop("copies", n.followCopies))
	g.Add("trunk probes", life.Loop("trunk probes", n.probeTrunks))
	g.Add("web", n.webServer())
	g.Add("metrics", n.metricsServer())
	g.Add("calls of before", life.Funcs{OnStart: n.takeUp, OnStop: n.letGo})
	return g, nil
}

func (n *Node) makeReplica(g *life.Group) error {
	e := n.cfg.Enrolment
	self := e.Node()
	var err error
	n.port, err = nodeport.New(nodeport.Config{
		Site: self.Site, Name: self.Name, Certificate: e.Certificate, Roots: e.Roots, Listener: n.sockets.node, Log: n.log,
	})
	if err != nil {
		return err
	}
	timing := replica.Fast()
	if n.cfg.Timing == "ordinary" {
		timing = replica.Ordinary()
	}
	n.replica, err = replica.New(replica.Config{
		Name: self.Name, Incarnation: uuid.NewString(), Dir: filepath.Join(e.Dir(), "raft"), Port: n.port,
		Self:      call.NodeInfo{NodeAddr: self.Public.Node, WebURL: self.Public.Web, SIPAddr: self.Public.SIP, Version: n.cfg.Version},
		Bootstrap: self.Bootstrap, Peers: n.configuredPeers, OfferTimeout: n.rules.offerTimeout,
		Timing: timing, Epoch: self.Epoch, Log: n.log, CloudClock: func() (time.Duration, bool) { return n.uplink.ClockOffset() },
		CloudAway: func() bool { connected, _ := n.uplink.CloudLink(); return !connected },
		Fatal: func(err error) {
			select {
			case n.fatal <- err:
			default:
			}
		},
	})
	if err != nil {
		return err
	}
	n.mountPeers()
	g.Add("node port", n.port)
	g.Add("replica", n.replica)
	return nil
}

// configuredPeers are the site's nodes as the cloud knows them.
func (n *Node) configuredPeers() []call.NodeInfo {
	var out []call.NodeInfo
	for _, p := range n.dir.Load().site.GetNodes() {
		out = append(out, call.NodeInfo{Name: p.GetName(), NodeAddr: p.GetNodeAddr(), WebURL: p.GetWebUrl()})
	}
	return out
}

func (n *Node) recordingDir() string { return filepath.Join(n.cfg.Enrolment.Dir(), "recordings") }

func (n *Node) makeCalls(g *life.Group) error {
	self := n.cfg.Enrolment.Node()
	n.recordings = recording.New(recording.Config{Dir: n.recordingDir(), Node: self.Name, Copier: copier{n}, Log: n.log, FreePercent: recordingFree()})
	n.board = switchboard.New(switchboard.Config{
		Node: self.Name, State: boardState{n}, Media: bridge{}, Outside: lines{n}, Prompts: n.rules, Recorder: recorder{n}, Rules: n.rules, Log: n.log,
	})
	api := softphone.APIConfig{UDPAddr: self.Listen.WebRTC, Log: n.log}
	if self.Public.IP != "" {
		api.AdvertisedIPs = []string{self.Public.IP}
	}
	var err error
	if n.webrtc, err = softphone.NewAPI(api); err != nil {
		return fmt.Errorf("WebRTC: %w", err)
	}
	n.phones = softphone.NewService(desk{n}, boardCalls{n.board, n}, n.webrtc, n.log)
	g.Add("WebRTC", life.Funcs{OnStop: func(context.Context) error { return n.webrtc.Close() }})
	g.Add("recordings", life.Funcs{OnStart: n.startRecordings, OnStop: n.recordings.Stop})
	g.Add("switchboard", n.board)
	return nil
}

// recordingFree is how much of the disk must stay free, in percent; the
// environment may say otherwise for a machine that is nearly full.
func recordingFree() float64 {
	var percent float64
	if _, err := fmt.Sscanf(os.Getenv("TRUNKLINE_RECORDING_FREE_PERCENT"), "%g", &percent); err != nil {
		return 0
	}
	return percent
}

// takeUp begins to follow the replica: the calls that are this node's, then
// every change.
func (n *Node) takeUp(context.Context) error {
	n.work.Go(n.reportLeftovers)
	n.mu.Lock()
	n.following = true
	n.mu.Unlock()
	n.replica.Watch(n.changed)
	n.replica.WatchLeader(func(string, bool) { n.wakeUplink() })
	n.sweep(n.replica.View())
	n.work.Go(n.followMembers)
	return nil
}

// reportGrace is what reports under way have left when the node stops: without
// a majority they would not end, and the next start makes them again.
const reportGrace = time.Second

// letGo lets takeovers and reports under way come to their end.
func (n *Node) letGo(ctx context.Context) error {
	n.mu.Lock()
	n.stopping = true
	n.mu.Unlock()
	time.AfterFunc(reportGrace, n.endReports)
	done := make(chan struct{})
	go func() {
		n.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// configChanged makes the directory anew from what is in force.
func (n *Node) configChanged() {
	n.dir.Store(newDirectory(n.configs.Site(), n.configs, n.dir.Load(), n.log))
	if n.phones == nil {
		return // still being put together
	}
	n.phones.EverythingChanged()
	n.wakeUplink()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.stopping && n.following {
		n.work.Go(n.followMembers)
	}
}

func (n *Node) wakeUplink() {
	if n.uplink != nil {
		n.uplink.Wake()
	}
}

// ready is the line that says where the node serves.
type ready struct {
	Ready   bool   `json:"ready"`
	Name    string `json:"name"`
	Web     string `json:"web"`
	Node    string `json:"node"`
	SIPUDP  string `json:"sip_udp"`
	SIPTCP  string `json:"sip_tcp"`
	Metrics string `json:"metrics"`
}

func (n *Node) announceReady() error {
	self := n.cfg.Enrolment.Node()
	line, err := json.Marshal(ready{
		Ready: true, Name: self.Name, Web: strings.TrimSuffix(self.Public.Web, "/"), Node: self.Public.Node,
		SIPUDP: n.sockets.sipUDP.LocalAddr().String(), SIPTCP: n.sockets.sipTCP.Addr().String(),
		Metrics: "http://" + n.sockets.metrics.Addr().String(),
	})
	if err != nil {
		return err
	}
	if n.cfg.ReadyFile != "" {
		if err := durable.WriteFile(n.cfg.ReadyFile, append(line, '\n')); err != nil {
			return err
		}
	}
	_, err = fmt.Println(string(line))
	return err
}
