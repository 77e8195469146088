package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Namespace is a network of its own with one cable to this machine: whoever lives
// in it reaches Host and nothing else. It needs root.
type Namespace struct {
	Name string
	Host string // this machine's address on the cable

	link      string
	listeners []net.Listener
	work      sync.WaitGroup
}

// NewNamespace makes one with a free network of 198.18.0.0/15 (RFC 2544), which
// is used for nothing else.
func NewNamespace(ctx context.Context) (*Namespace, error) {
	net4 := rand.N(1<<15) * 4 // a /30
	at := func(host int) string {
		n := net4 + host
		return fmt.Sprintf("198.%d.%d.%d", 18+n>>16, n>>8&0xff, n&0xff)
	}
	id := fmt.Sprintf("%d-%x", os.Getpid()%100_000, rand.N(0x1000))
	ns := &Namespace{Name: "tl" + id, Host: at(1), link: "tl" + id}
	inside := "ti" + id
	for _, args := range []string{
		"netns add " + ns.Name,
		"link add " + ns.link + " type veth peer name " + inside + " netns " + ns.Name,
		"addr add " + ns.Host + "/30 dev " + ns.link,
		"link set " + ns.link + " up",
		"-n " + ns.Name + " addr add " + at(2) + "/30 dev " + inside,
		"-n " + ns.Name + " link set " + inside + " up",
		"-n " + ns.Name + " link set lo up",
	} {
		if err := ip(ctx, args); err != nil {
			return nil, errors.Join(fmt.Errorf("this machine does not let us make a network namespace (root is needed): %w", err), ns.Close())
		}
	}
	return ns, nil
}

func ip(ctx context.Context, args string) error {
	out, err := exec.CommandContext(ctx, "ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Forward lets those inside reach a TCP port of this machine's loopback under the
// same address. Nothing else of this machine's loopback exists in there.
func (ns *Namespace) Forward(addr string) error {
	l, err := ns.listen(addr)
	if err != nil {
		return err
	}
	ns.listeners = append(ns.listeners, l)
	ns.work.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			ns.work.Go(func() { carry(in, addr) })
		}
	})
	return nil
}

func carry(in net.Conn, addr string) {
	defer in.Close()
	out, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(out, in)
		_ = out.Close()
	}()
	_, _ = io.Copy(in, out)
	_ = in.Close()
	<-done
}

// listen opens a socket inside: a socket stays in the network of the thread that
// made it. The thread comes back and lives on, as its end would be the end of each
// program started from it (Pdeathsig).
func (ns *Namespace) listen(addr string) (l net.Listener, err error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	defer home.Close()
	defer func() {
		if e := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); e != nil {
			// The thread is of no more use to others; it stays with this goroutine.
			err = errors.Join(err, e)
			return
		}
		runtime.UnlockOSThread()
	}()
	there, err := os.Open("/run/netns/" + ns.Name)
	if err != nil {
		return nil, err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	return net.Listen("tcp", addr)
}

// Close removes it; end those who live in it first.
func (ns *Namespace) Close() error {
	var errs []error
	for _, l := range ns.listeners {
		errs = append(errs, l.Close())
	}
	ctx := context.Background()
	_ = ip(ctx, "link del "+ns.link) // also ends connections still open
	if _, err := os.Stat("/run/netns/" + ns.Name); err == nil {
		errs = append(errs, ip(ctx, "netns del "+ns.Name))
	}
	ns.work.Wait()
	return errors.Join(errs...)
}
