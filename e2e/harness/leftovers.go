package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leftoverGrace is how long the programs of a killed harness may take to end;
// the kernel told them when it died.
const leftoverGrace = 20 * time.Second

// waitForLeftovers waits until no program that an earlier, killed harness
// started on dir runs any more: it would hold the ports. Late ones are killed.
func waitForLeftovers(ctx context.Context, dir string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(leftoverGrace)
	for {
		pids := ProgramsOn(dir)
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("programs of an earlier run still use %s: %w", dir, ctx.Err())
		}
	}
}

// ProgramsOn lists our running programs, and PostgreSQL servers, whose data is within dir.
func ProgramsOn(dir string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well formed
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		args := strings.Split(string(b), "\x00")
		if name := filepath.Base(args[0]); name != "postgres" && name != "trunkline-cloud" && name != "trunkline-edge" {
			continue
		}
		within := func(arg string) bool { return strings.HasPrefix(arg, dir+string(filepath.Separator)) }
		if !slices.ContainsFunc(args[1:], within) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// ErrTaken says that an address kept from an earlier start is in use.
var ErrTaken = errors.New("in use by another program")

// keptPortsFree says whether the addresses that cloud and nodes in dir were
// given at an earlier start can be had again: they know each other by them, so no
// other ones will do.
func keptPortsFree(dir string) error {
	kept := map[string]string{}
	if b, err := os.ReadFile(filepath.Join(dir, "cloud.addr")); err == nil {
		kept["the cloud"], _, _ = strings.Cut(string(b), " ")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "node*", "node.json"))
	for _, file := range files {
		var n struct {
			Name   string
			Listen struct{ Web, SIP string }
		}
		b, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(b, &n)
		}
		if err != nil {
			return err
		}
		kept[n.Name], kept[n.Name+" (SIP)"] = n.Listen.Web, n.Listen.SIP
	}
	for who, addr := range kept {
		l, err := net.Listen("tcp", addr)
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%s of %s: %w", addr, who, ErrTaken)
		}
		if err != nil {
			return err
		}
		_ = l.Close()
	}
	return nil
}
