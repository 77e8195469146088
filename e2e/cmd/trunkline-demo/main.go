// trunkline-demo starts the real product on one machine: cloud, mailbox, a
// hosted site of three nodes and a carrier, with fixed ports and kept state.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
)

// startTimeout bounds a first start; a second one takes some seconds.
const startTimeout = 4 * time.Minute

const carrierPort = 5080

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == "carrier" {
		err = carrierCommand(ctx, os.Args[2:])
	} else {
		err = run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demoDir keeps the state, beside the Makefile.
const demoDir = ".demo"

func run(ctx context.Context) error {
	dir, err := filepath.Abs(demoDir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	d := &demo{dir: dir, log: newLog(os.Stdout)}
	// A killed demo left its own behind.
	if err := os.Remove(d.file(endpointsFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := d.forgetHalf(); err != nil {
		return err
	}
	ua, err := startCarrier()
	if err != nil {
		return err
	}
	defer ua.Stop()
	d.carrier = ua
	err = d.start(ctx)
	if errors.Is(err, harness.ErrTaken) {
		return fmt.Errorf("%w; stop that program, or forget this demo with make demo-reset", err)
	}
	return err
}

// start starts everything and returns when all has stopped.
func (d *demo) start(ctx context.Context) error {
	began := time.Now()
	d.log.say("starting; state and whole logs are kept in %s", demoDir)
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	cluster, err := harness.Start(starting, harness.Options{
		Dir: d.dir, Bin: binDir(), Nodes: 3, Timing: "fast", Log: d.log.program, Carrier: d.carrier.Addr(),
		Ports: harness.Ports{Web: 8400, Mailbox: 8401, Edge: 8411, SIP: 5071},
	})
	if err != nil {
		return unlessToldToStop(ctx, err)
	}
	d.cluster = cluster
	err = unlessToldToStop(ctx, d.serve(ctx, starting, began))
	d.log.say("stopping")
	_ = os.Remove(d.file(endpointsFile))
	return errors.Join(err, cluster.Stop())
}

func unlessToldToStop(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// serve fills the tenant, tells where to click, and looks after the programs.
func (d *demo) serve(ctx, starting context.Context, began time.Time) error {
	if err := d.people(starting); err != nil {
		return err
	}
	if err := d.numberKnown(starting); err != nil {
		return err
	}
	if err := d.writeEndpoints(); err != nil {
		return err
	}
	stopControl, err := d.control(ctx)
	if err != nil {
		return err
	}
	defer stopControl()
	d.welcome(time.Since(began))
	if !carrierOff() {
		go d.traffic(ctx)
	}
	d.watch(ctx)
	return nil
}

// startCarrier takes its port, or the next free one, as long as it takes.
func startCarrier() (*carrier.Carrier, error) {
	for {
		port := harness.FreePort(carrierPort)
		ua, err := carrier.Start(fmt.Sprintf("127.0.0.1:%d", port))
		if port == 0 || !errors.Is(err, syscall.EADDRINUSE) {
			return ua, err
		}
	}
}

func binDir() string {
	exe, err := os.Executable()
	if err != nil {
		return "bin"
	}
	return filepath.Dir(exe)
}

// lock refuses a second demo on the same state.
func lock(dir string) (func(), error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("a demo is running already in %s", demoDir)
	}
	return func() { _ = f.Close() }, nil
}
