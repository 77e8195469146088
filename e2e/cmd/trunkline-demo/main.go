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
	began := time.Now()
	log := newLog(os.Stdout)
	log.say("starting; state is kept in %s", demoDir)
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	cluster, err := harness.Start(starting, harness.Options{
		Dir: dir, Bin: binDir(), Nodes: 3, Timing: "fast", Log: log.program,
		Ports: harness.Ports{Web: 8400, Mailbox: 8401, Edge: 8411, SIP: 5071, Carrier: 5080},
	})
	if err != nil {
		return err
	}
	d := &demo{cluster: cluster, dir: dir, log: log}
	err = d.serve(ctx, starting, began)
	log.say("stopping")
	_ = os.Remove(filepath.Join(dir, endpointsFile))
	return errors.Join(err, cluster.Stop())
}

// serve fills the tenant, tells where to click, and looks after the nodes.
func (d *demo) serve(ctx, starting context.Context, began time.Time) error {
	if err := d.people(starting); err != nil {
		return err
	}
	ua, err := carrier.Start(d.cluster.Carrier)
	if err != nil {
		return fmt.Errorf("carrier: %w", err)
	}
	defer ua.Stop()
	d.carrier = ua
	if err := d.writeEndpoints(); err != nil {
		return err
	}
	stopControl, err := d.control(ctx)
	if err != nil {
		return err
	}
	defer stopControl()
	d.welcome(time.Since(began))
	if os.Getenv("DEMO_CARRIER") != "off" {
		go d.traffic(ctx)
	}
	d.watchNodes(ctx)
	return nil
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
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("a demo is running already in %s", demoDir)
	}
	return func() { _ = f.Close() }, nil
}
