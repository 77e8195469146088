package sip

import (
	"context"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestSippCallers lets SIPp call 50 times a second; the node answers and hangs
// up as soon as the call is up.
func TestSippCallers(t *testing.T) {
	path, err := exec.LookPath("sipp")
	if err != nil {
		t.Fatal("SIPp is not installed: run make setup")
	}
	for _, transport := range []string{"u1", "t1"} {
		t.Run(transport, func(t *testing.T) { sippCalls(t, path, transport, 50, 150) })
	}
}

func sippCalls(t *testing.T, path, transport string, rate, calls int) {
	var up, failed atomic.Int64
	ua := startUA(t, func(in *Incoming) {
		var l *Leg
		ready := make(chan struct{})
		l, err := in.Prepare(Events{
			Acked:  func() { <-ready; up.Add(1); l.Hangup("test") },
			Failed: func(error) { failed.Add(1) },
		})
		if err != nil {
			t.Error(err)
			return
		}
		close(ready)
		if err := l.Answer(); err != nil {
			t.Error(err)
		}
	}, func(cfg *Config) { cfg.MaxInvitesInFlight = 1000 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	before := cpu(t)
	out, err := exec.CommandContext(ctx, path, ua.addr(), "-sf", "testdata/caller.xml", "-i", "127.0.0.1", "-t", transport,
		"-r", strconv.Itoa(rate), "-m", strconv.Itoa(calls), "-l", strconv.Itoa(calls), "-nostdin",
		"-timeout", "50s", "-timeout_error", "-buff_size", "4000000").CombinedOutput()
	if err != nil {
		tail := out[max(0, len(out)-3000):]
		t.Fatalf("SIPp: %v\n%s", err, tail)
	}
	t.Logf("%d us of CPU a call", (cpu(t)-before).Microseconds()/int64(calls))
	if up.Load() != int64(calls) || failed.Load() != 0 {
		t.Errorf("%d calls up, %d failed, of %d", up.Load(), failed.Load(), calls)
	}
	for n := ua.Legs(); n != 0; n = ua.Legs() {
		if ctx.Err() != nil {
			t.Fatalf("%d legs left", n)
		}
	}
}

// cpu is what this process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
