package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"trunkline/edge/enroll"
)

// answers says whether a node serves on its metrics address.
func answers(ctx context.Context, metrics string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+metrics+"/healthz", nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

type port struct {
	what, addr string
	tcp, udp   bool
}

func portsOf(a enroll.Addrs) []port {
	return []port{
		{"web", a.Web, true, false},
		{"nodes", a.Node, true, false},
		{"SIP", a.SIP, true, true},
		{"WebRTC", a.WebRTC, false, true},
		{"metrics", a.Metrics, true, false},
	}
}

// ports looks whether the node's ports can be bound, or that the running node
// answers on them.
func ports(ctx context.Context, p *patient) []Finding {
	if p.enrolment == nil {
		return []Finding{skipped("The ports are chosen by the join.")}
	}
	var out []Finding
	for _, x := range portsOf(p.enrolment.Node().Listen) {
		if p.running {
			out = append(out, x.served(ctx))
		} else {
			out = append(out, x.free())
		}
	}
	return out
}

func (x port) served(ctx context.Context) Finding {
	if !x.tcp {
		closers, err := enroll.Bind(x.addr, false, true)
		for _, c := range closers {
			_ = c.Close()
		}
		if err == nil {
			return failed(fmt.Sprintf("The node runs, but does not hold its %s port %s.", x.what, x.addr), "Restart the node; if it stays so, its log says why.")
		}
		return ok("The %s port %s is held by the node.", x.what, x.addr)
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", x.addr)
	if err != nil {
		return failed(fmt.Sprintf("The node runs, but its %s port %s does not answer: %v.", x.what, x.addr, err), "Restart the node; if it stays so, a firewall on this machine stands before it.")
	}
	_ = c.Close()
	return ok("The %s port %s answers.", x.what, x.addr)
}

func (x port) free() Finding {
	closers, err := enroll.Bind(x.addr, x.tcp, x.udp)
	for _, c := range closers {
		_ = c.Close()
	}
	text := fmt.Sprintf("The %s port %s can not be bound: %v.", x.what, x.addr, err)
	switch {
	case err == nil:
		return ok("The %s port %s is free.", x.what, x.addr)
	case errors.Is(err, syscall.EADDRINUSE):
		return failed(text, "Another program holds it: ss -lntup shows which. Stop it, or change the port in node.json.")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return failed(text, "This machine does not have that IP address now: ip addr lists those it has.")
	case errors.Is(err, syscall.EACCES):
		return failed(text, "Ports below 1024 need the right to bind them: run the doctor as the service's user or root.")
	default:
		return failed(text, "Correct the address in node.json.")
	}
}

// addresses compares what the node says it is reached by with what this machine has.
func addresses(ctx context.Context, p *patient) []Finding {
	if p.enrolment == nil {
		return []Finding{skipped("Public addresses are set by the join.")}
	}
	own, err := ownAddrs()
	if err != nil {
		return []Finding{failed(fmt.Sprintf("The machine's addresses can not be listed: %v.", err), "Run the doctor as root.")}
	}
	n := p.enrolment.Node()
	web := ""
	if u, err := url.Parse(n.Public.Web); err == nil {
		web = u.Hostname()
	}
	media := n.Public.IP
	if media == "" {
		media = n.Listen.MediaIP
	}
	return []Finding{
		reached(ctx, own, "Browsers", web, "--advertise-web"),
		reached(ctx, own, "Other nodes", hostOf(n.Public.Node), "--advertise-ip"),
		reached(ctx, own, "Trunks", hostOf(n.Public.SIP), "--advertise-ip"),
		reached(ctx, own, "Audio", media, "--media-ip or --advertise-ip"),
	}
}

func reached(ctx context.Context, own []netip.Addr, who, host, flag string) Finding {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil || len(ips) == 0 {
			return failed(fmt.Sprintf("%s: the name %s can not be resolved: %v.", who, host, err), "Add it to DNS, or join again with another "+flag+".")
		}
		ip = ips[0]
	}
	ip = ip.Unmap()
	switch {
	case ip.IsUnspecified():
		return failed(fmt.Sprintf("%s are told the address %s, which is none.", who, host), "Join again with "+flag+" set to what they can reach.")
	case ip.IsLoopback():
		return warning(fmt.Sprintf("%s: %s is this machine only.", who, host), "Fine for a trial on one machine; else join again with "+flag+" set to what others can reach.")
	case slices.Contains(own, ip):
		if ip.IsPrivate() {
			return ok("%s: %s, a private address of this machine, reached within its network only.", who, host)
		}
		return ok("%s: %s, an address of this machine.", who, host)
	default:
		return warning(fmt.Sprintf("%s: %s is not an address of this machine, so a NAT or proxy stands before it.", who, host),
			"Make sure it forwards the same port numbers here, UDP as well for SIP and audio; this can only be tried from outside.")
	}
}

func ownAddrs() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out, nil
}

func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

func diskSpace(_ context.Context, p *patient) []Finding {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(p.Dir, &fs); err != nil {
		return []Finding{skipped("%s: %v.", p.Dir, err)}
	}
	free, total := fs.Bavail*uint64(fs.Bsize), fs.Blocks*uint64(fs.Bsize)
	percent := 100 * float64(free) / float64(max(total, 1))
	text := fmt.Sprintf("%.1f GB (%.0f %%) of the disk of %s are free.", float64(free)/1e9, percent, p.Dir)
	fix := "Free some space: recordings that are not uploaded yet wait here, so look at the connection to the cloud too."
	switch {
	case percent < 20:
		return []Finding{failed(text+" Below 20 % nothing is recorded.", fix)}
	case percent < 25:
		return []Finding{warning(text+" Below 20 % nothing will be recorded.", fix)}
	default:
		return []Finding{ok("%s", text)}
	}
}

const (
	syncs    = 40
	slowSync = 20 * time.Millisecond
	badSync  = 200 * time.Millisecond
)

// diskSpeed measures what every commit waits for: a small write and fsync.
func diskSpeed(ctx context.Context, p *patient) []Finding {
	if _, err := os.Stat(p.Dir); err != nil {
		return []Finding{skipped("%s: %v.", p.Dir, err)}
	}
	took, err := syncTimes(ctx, p.Dir)
	if err != nil {
		return []Finding{failed(fmt.Sprintf("%s can not be written: %v.", p.Dir, err), "Check its owner and the disk; run the doctor as the service's user or root.")}
	}
	slices.Sort(took)
	worst, median := took[len(took)-1], took[len(took)/2]
	text := fmt.Sprintf("A write with fsync takes %s, at worst %s of %d.", round(median), round(worst), len(took))
	fix := "Put the directory on a local SSD that nothing else loads: each step of a call waits for this."
	switch {
	case median > badSync || worst > time.Second:
		return []Finding{failed(text, fix)}
	case median > slowSync || worst > badSync:
		return []Finding{warning(text, fix)}
	default:
		return []Finding{ok("%s", text)}
	}
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

func syncTimes(ctx context.Context, dir string) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4096)
	for range syncs {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		if took = append(took, time.Since(start)); ctx.Err() != nil {
			break
		}
	}
	return took, nil
}

// inParallel runs a check for each of a list, keeping the order.
func inParallel[T any](list []T, f func(T) Finding) []Finding {
	out := make([]Finding, len(list))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 32)
	for i, x := range list {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			out[i] = f(x)
		})
	}
	wg.Wait()
	return out
}
