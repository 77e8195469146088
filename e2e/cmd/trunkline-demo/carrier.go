package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"trunkline/e2e/carrier"
)

const (
	controlSocket = "carrier.sock"
	callEvery     = 30 * time.Second
	// patience is how long a caller of the carrier stays in all.
	patience = 90 * time.Second
)

// traffic calls the demo number now and then, from node to node.
func (d *demo) traffic(ctx context.Context) {
	tick := time.NewTicker(callEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			go func() {
				if _, err := d.call(ctx, i, fmt.Sprintf("+4930555%04d", i%10000), demoNumber, "1"); err != nil && ctx.Err() == nil {
					d.log.say("carrier: %v", err)
				}
			}()
		}
	}
}

// call places one call; the next node is tried when one does not answer.
func (d *demo) call(ctx context.Context, first int, from, to, keys string) (string, error) {
	var errs error
	for i := range d.cluster.Nodes {
		n := d.cluster.Nodes[(first+i)%len(d.cluster.Nodes)]
		if !d.cluster.Process(n).Running() {
			continue
		}
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		call, err := d.carrier.Call(try, carrier.Dial{Node: n.Ready.SIPUDP, From: from, To: to, Audio: carrier.Speech})
		cancel()
		if err != nil {
			errs = errors.Join(errs, fmt.Errorf("%s: %w", n.Name, err))
			continue
		}
		go d.stay(ctx, call, keys)
		return n.Name, nil
	}
	return "", errs
}

// stay lives through an answered call: a key after the greeting, then patience.
func (d *demo) stay(ctx context.Context, call *carrier.Call, keys string) {
	greeting := time.After(3 * time.Second)
	end := time.After(patience)
	for {
		select {
		case <-greeting:
			call.Press(keys)
		case <-call.Done():
			return
		case <-end:
			call.Hangup(ctx)
			return
		case <-ctx.Done():
			return
		}
	}
}

// control listens for "trunkline-demo carrier".
func (d *demo) control(ctx context.Context) (func(), error) {
	path := filepath.Join(d.dir, controlSocket)
	_ = os.Remove(path)
	ln, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		node, err := d.call(ctx, 0, q.Get("from"), q.Get("to"), q.Get("keys"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"answered_by": node})
	})}
	go func() { _ = srv.Serve(ln) }()
	return func() { _ = srv.Close() }, nil
}

// carrierCommand asks the running demo's carrier to place a call:
// trunkline-demo carrier [from [to [keys]]].
func carrierCommand(ctx context.Context, args []string) error {
	want := []string{"+4930123456", demoNumber, "1"}
	if len(args) > len(want) || slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") }) {
		return fmt.Errorf("usage: trunkline-demo carrier [FROM [TO [KEYS]]], of themselves %s", strings.Join(want, " "))
	}
	copy(want, args)
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(demoDir, controlSocket))
		},
	}}
	q := url.Values{"from": {want[0]}, "to": {want[1]}, "keys": {want[2]}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://demo/call?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no demo is running here: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the call was not answered: %s", b)
	}
	fmt.Printf("%s", b)
	return nil
}

// carrierOff: the demo is asked to place no calls of its own.
func carrierOff() bool { return os.Getenv("DEMO_CARRIER") == "off" }
