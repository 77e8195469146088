package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say what is started.
type Options struct {
	// Dir holds all state; kept state is used again.
	Dir string
	// Bin holds trunkline-cloud and trunkline-edge.
	Bin string
	// Nodes of the hosted site: 1, 3 or 5.
	Nodes int
	// Timing is the Raft profile: "fast" or "ordinary".
	Timing string
	// Ports are the first choices (demo); zero = from the kernel.
	Ports Ports
	// Carrier is where a carrier listens already, host:port: the site's trunk sends calls there.
	Carrier string
	// Log gets each log line with the program's name; may be nil.
	Log func(program, line string)
	// Cloud are further arguments of trunkline-cloud serve.
	Cloud []string
	// FastDatabase runs PostgreSQL without durability (tests only).
	FastDatabase bool
	// NodeEnv is added to the nodes' environment.
	NodeEnv []string
}

// Ports are the fixed ports of a demo; the next free one is taken if one is in use.
type Ports struct{ Web, Mailbox, Edge, SIP int }

// SiteName of the one hosted site.
const SiteName = "Demo site"

// Cluster is a running cloud with its hosted site.
type Cluster struct {
	opts    Options
	Mailbox *Mailbox
	Web     string // base URL of the cloud
	Metrics string // base URL of its metrics
	// Postgres is the URL of the cloud's private database.
	Postgres string

	mu    sync.Mutex
	cloud *Process
	Nodes []*Node
}

// Node is one edge node of the site.
type Node struct {
	Name  string
	Dir   string
	Ready NodeReady
	proc  *Process
	args  []string
	log   Program
}

// NodeReady is a node's ready line.
type NodeReady struct {
	Name    string `json:"name"`
	Web     string `json:"web"`
	Node    string `json:"node"`
	SIPUDP  string `json:"sip_udp"`
	SIPTCP  string `json:"sip_tcp"`
	Metrics string `json:"metrics"`
}

type cloudReady struct {
	Web      string `json:"web"`
	Node     string `json:"node"`
	Postgres string `json:"postgres"`
	Metrics  string `json:"metrics"`
}

// Start starts everything and returns when it is ready to take calls.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	c := &Cluster{opts: o}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	err := waitForLeftovers(ctx, c.opts.Dir)
	if err != nil {
		return err
	}
	if err := keptPortsFree(c.opts.Dir); err != nil {
		return err
	}
	c.Mailbox, err = StartMailbox("127.0.0.1:0", address(c.opts.Ports.Mailbox), filepath.Join(c.opts.Dir, "mail.jsonl"))
	if err != nil {
		return err
	}
	if err := c.StartCloud(ctx); err != nil {
		return err
	}
	if err := c.hostedSite(ctx); err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, c.opts.Nodes)
	for i := range c.opts.Nodes {
		n := c.Machine(fmt.Sprintf("node%d", i+1))
		c.Nodes = append(c.Nodes, n)
		if i == 0 && !n.joined() {
			// The first node makes the group the others join. Later, none of them can
			// be ready without another.
			if err := c.startNode(ctx, n, i); err != nil {
				return err
			}
			continue
		}
		wg.Go(func() { errs[i] = c.startNode(ctx, n, i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// address is a loopback address: the fixed port, the next free one, or any.
func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", FreePort(port)) }

// FreePort gives port, or the next one that is free for UDP and TCP; 0 = any.
func FreePort(port int) int {
	if port == 0 {
		return 0
	}
	given.Lock()
	defer given.Unlock()
	for p := port; p < port+100; p++ {
		if given.ports[p] {
			continue
		}
		t, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(p))
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", "127.0.0.1:"+strconv.Itoa(p))
		_ = t.Close()
		if err != nil {
			continue
		}
		_ = u.Close()
		given.ports[p] = true
		return p
	}
	return 0
}

// given are the ports handed out already, bound by now or soon.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// StartCloud starts the cloud (again) on the same data and addresses.
func (c *Cluster) StartCloud(ctx context.Context) error {
	web, node := address(c.opts.Ports.Web), "127.0.0.1:0"
	if b, err := os.ReadFile(c.cloudAddrFile()); err == nil {
		// Nodes know the cloud by its addresses: they stay.
		web, node, _ = strings.Cut(strings.TrimSpace(string(b)), " ")
	}
	args := []string{
		"serve", "--data", c.cloudDir(), "--web-addr", web, "--node-addr", node,
		"--smtp-addr", c.Mailbox.SMTPAddr(), "--mail-from", "Trunkline <no-reply@demo.example>",
	}
	if _, port, err := net.SplitHostPort(web); err == nil && port != "0" {
		args = append(args, "--public-url", "http://localhost:"+port)
	}
	args = append(args, c.opts.Cloud...)
	cmd := Program{
		Name: "cloud", Path: filepath.Join(c.opts.Bin, "trunkline-cloud"), Args: args,
		LogFile: filepath.Join(c.opts.Dir, "log", "cloud.log"), Log: c.logger("cloud"),
	}
	if c.opts.FastDatabase {
		cmd.Env = append(cmd.Env, "TRUNKLINE_FAST_DATABASE=true")
	}
	var ready cloudReady
	p, err := cmd.Start(ctx, &ready)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.cloud, c.Web, c.Metrics, c.Postgres = p, ready.Web, ready.Metrics, ready.Postgres
	c.mu.Unlock()
	webAddr := strings.TrimPrefix(ready.Web, "http://")
	if _, port, err := net.SplitHostPort(webAddr); err == nil {
		c.Web, webAddr = "http://localhost:"+port, "127.0.0.1:"+port
	}
	return os.WriteFile(c.cloudAddrFile(), []byte(webAddr+" "+ready.Node), 0o600)
}

func (c *Cluster) cloudDir() string      { return filepath.Join(c.opts.Dir, "cloud") }
func (c *Cluster) cloudAddrFile() string { return filepath.Join(c.opts.Dir, "cloud.addr") }

// Cloud is the cloud's process, to be killed or stopped.
func (c *Cluster) Cloud() *Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cloud
}

// CloudCommand runs a subcommand of trunkline-cloud on the running database.
func (c *Cluster) CloudCommand(ctx context.Context, stdin string, args ...string) (string, error) {
	return Run(ctx, stdin, filepath.Join(c.opts.Bin, "trunkline-cloud"), append(args, "--data", c.cloudDir())...)
}

// hostedSite makes the platform's site, once, and its trunk, again when the
// carrier has moved.
func (c *Cluster) hostedSite(ctx context.Context) error {
	mark := filepath.Join(c.opts.Dir, "site.made")
	carrier, err := os.ReadFile(mark)
	if err != nil {
		if _, err := c.CloudCommand(ctx, "", "site", "create-hosted", "--name", SiteName); err != nil {
			return err
		}
	} else if string(carrier) == c.opts.Carrier {
		return nil
	}
	_, err = c.CloudCommand(ctx, "", "trunk", "add", "--site", SiteName, "--name", "Local carrier",
		"--allow", "127.0.0.1/32", "--target", c.opts.Carrier)
	if err != nil {
		return err
	}
	return os.WriteFile(mark, []byte(c.opts.Carrier), 0o600)
}

// Machine is a machine on which nothing runs yet: what joins in its Dir is run by
// RunNode. A node of the cluster's own site is stopped with it, another by its caller.
func (c *Cluster) Machine(name string) *Node {
	dir := filepath.Join(c.opts.Dir, name)
	return &Node{
		Name: name, Dir: dir,
		args: []string{"run", "--data", dir, "--timing", c.opts.Timing},
		log: Program{
			Name: name, LogFile: filepath.Join(c.opts.Dir, "log", name+".log"), Log: c.logger(name),
			// A node of a site keeps a fifth of its disk free; a person's machine need not.
			Env: append([]string{"TRUNKLINE_RECORDING_FREE_PERCENT=1"}, c.opts.NodeEnv...),
		},
	}
}

func (c *Cluster) startNode(ctx context.Context, n *Node, i int) error {
	if !n.joined() {
		if err := c.join(ctx, n, i); err != nil {
			return err
		}
	}
	return c.RunNode(ctx, n)
}

func (n *Node) joined() bool {
	_, err := os.Stat(filepath.Join(n.Dir, "node.json"))
	return err == nil
}

// join takes the same path as an operator: a token from the cloud, one command.
func (c *Cluster) join(ctx context.Context, n *Node, i int) error {
	token, err := c.CloudCommand(ctx, "", "site", "token", "--site", SiteName)
	if err != nil {
		return err
	}
	fixed := func(base int) string {
		if base == 0 {
			return "127.0.0.1:0"
		}
		return address(base + i)
	}
	web := fixed(c.opts.Ports.Edge)
	args := []string{
		"join", "--cloud", c.Web, "--token", strings.TrimSpace(token), "--data", n.Dir, "--name", n.Name,
		"--web-addr", web, "--sip-addr", fixed(c.opts.Ports.SIP),
	}
	if _, port, _ := net.SplitHostPort(web); port != "0" {
		args = append(args, "--advertise-web", "http://localhost:"+port)
	}
	_, err = Run(ctx, "", filepath.Join(c.opts.Bin, "trunkline-edge"), args...)
	return err
}

// RunNode starts a joined node (again).
func (c *Cluster) RunNode(ctx context.Context, n *Node) error {
	cmd := n.log
	cmd.Path, cmd.Args = filepath.Join(c.opts.Bin, "trunkline-edge"), n.args
	var ready NodeReady
	p, err := cmd.Start(ctx, &ready)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if n.proc == nil {
		n.Ready = ready // it is the same ever after: a node keeps its addresses
	}
	n.proc = p
	c.mu.Unlock()
	return nil
}

// Numbers is how many telephone numbers the node answers for.
func (n *Node) Numbers(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.Ready.Metrics+"/status", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var status struct {
		Numbers int `json:"numbers"`
	}
	err = json.NewDecoder(res.Body).Decode(&status)
	return status.Numbers, err
}

// Process of a node.
func (c *Cluster) Process(n *Node) *Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return n.proc
}

func (c *Cluster) logger(name string) func(string) {
	if c.opts.Log == nil {
		return nil
	}
	return func(line string) { c.opts.Log(name, line) }
}

// stopGrace is how long a program may take to stop.
const stopGrace = 20 * time.Second

// Stop stops nodes, cloud and mailbox in this order; state stays in Dir.
func (c *Cluster) Stop() error {
	var wg sync.WaitGroup
	errs := make([]error, len(c.Nodes)+1)
	for i, n := range c.Nodes {
		if p := c.Process(n); p != nil {
			wg.Go(func() { errs[i] = p.Stop(stopGrace) })
		}
	}
	wg.Wait()
	if p := c.Cloud(); p != nil {
		errs[len(c.Nodes)] = p.Stop(stopGrace)
	}
	if c.Mailbox != nil {
		c.Mailbox.Stop()
	}
	return errors.Join(errs...)
}
