package uplink

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"trunkline/edge/call"
	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// inOrder says whether the cloud holds a tenant's facts 1 to n, each once.
func (c *fakeCloud) inOrder(t *testing.T, tenant int64, n int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.facts[tenant]) != n {
		t.Errorf("tenant %d: the cloud holds %d facts, not %d", tenant, len(c.facts[tenant]), n)
	}
	for i, f := range c.facts[tenant] {
		if f.Seq != uint64(i+1) {
			t.Fatalf("tenant %d: fact %d has sequence %d", tenant, i, f.Seq)
		}
	}
}

func TestFactsArriveInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		s.add(1, 3000)
		s.add(2, 3)
		start(t, c, s, t.TempDir(), nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		c.inOrder(t, 1, 3000)
		c.inOrder(t, 2, 3)
		if s.left(1)+s.left(2) != 0 {
			t.Errorf("%d and %d are not acknowledged", s.left(1), s.left(2))
		}
		if c.doubled != 0 {
			t.Errorf("%d sent twice", c.doubled)
		}
		for _, n := range c.pushes {
			if n > batchFacts {
				t.Errorf("a batch of %d", n)
			}
		}
		if s.acks > 4 {
			t.Errorf("%d acknowledgements were committed", s.acks)
		}
		// What comes later goes soon.
		s.add(1, 1)
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		c.inOrder(t, 1, 3001)
	})
}

// Three days when there is time for it (make test-long), else two hours.
func TestCloudAwayForLong(t *testing.T) {
	hours := 2
	if os.Getenv("TRUNKLINE_LONG") != "" {
		hours = 72
	}
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		n := start(t, c, s, t.TempDir(), nil)
		time.Sleep(time.Second)
		s.add(1, 10)
		time.Sleep(time.Second)
		c.net.cut(true)
		for range hours {
			s.add(1, 300)
			time.Sleep(time.Hour)
		}
		synctest.Wait()
		if ok, seen := n.CloudLink(); ok || time.Since(seen) < time.Duration(hours)*time.Hour-time.Minute {
			t.Errorf("connected %v, last seen %v ago", ok, time.Since(seen))
		}
		if perHour := c.net.dials / hours; perHour > 2*3600/5 {
			t.Errorf("%d attempts an hour", perHour)
		}
		c.net.cut(false)
		time.Sleep(maxPause + 5*time.Second)
		synctest.Wait()
		c.inOrder(t, 1, 10+hours*300)
		if ok, _ := n.CloudLink(); !ok || s.left(1) != 0 {
			t.Errorf("connected %v, %d facts left", ok, s.left(1))
		}
	})
}

func TestLostAnswerCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		lose := 3
		c.afterPush = func(*edgev1.PushFactsRequest) error {
			if lose--; lose >= 0 {
				return fault.New(fault.Unavailable, "fault.timeout")
			}
			return nil
		}
		s.add(1, 300)
		start(t, c, s, t.TempDir(), nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		c.inOrder(t, 1, 300)
		if c.doubled == 0 || s.left(1) != 0 {
			t.Errorf("%d sent again, %d left", c.doubled, s.left(1))
		}
	})
}

func TestUnknownOutcomeOfAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		fails := 2
		s.fail = func(cmd call.Command) error {
			if _, ok := cmd.(call.OutboxAck); ok && fails > 0 {
				fails--
				return errAway
			}
			return nil
		}
		s.add(1, 5)
		start(t, c, s, t.TempDir(), nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		c.inOrder(t, 1, 5)
		if s.left(1) != 0 {
			t.Errorf("%d left", s.left(1))
		}
	})
}

func TestCloudThatLostFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		start(t, c, s, t.TempDir(), nil)
		s.add(1, 10)
		time.Sleep(time.Second)
		c.change(func() { // as after restoring an old backup
			c.cursor[1] = 4
			c.facts[1] = c.facts[1][:4]
		})
		s.add(1, 1)
		s.add(2, 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.left(1) != 1 {
			t.Errorf("what follows a gap was given up: %d left", s.left(1))
		}
		c.inOrder(t, 2, 1) // the others go on
		if n := len(c.pushes); n > 25 {
			t.Errorf("%d attempts in a minute", n)
		}
	})
}

func TestOneRefusedTenantHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		c.refuse[1] = fault.New(fault.Forbidden, "fault.fleet.not_assigned")
		start(t, c, s, t.TempDir(), nil)
		s.add(1, 1)
		for range 20 {
			s.add(2, 1)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		c.inOrder(t, 2, 20)
		if s.left(1) != 1 {
			t.Error("the refused fact is gone")
		}
		c.change(func() { delete(c.refuse, 1) })
		time.Sleep(maxPause + time.Second)
		synctest.Wait()
		c.inOrder(t, 1, 1)
	})
}

func TestOnlyTheLeaderSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		start(t, c, s, t.TempDir(), nil)
		s.add(1, 5)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(c.pushes) != 0 || len(c.live) != 0 {
			t.Errorf("a follower sent %d batches, %d floors", len(c.pushes), len(c.live))
		}
		s.do(func() { s.leader = true })
		time.Sleep(time.Second)
		synctest.Wait()
		c.inOrder(t, 1, 5)
	})
}

func TestBatchIsBoundedInBytes(t *testing.T) {
	var facts []*edgev1.Fact
	for range 20 {
		facts = append(facts, &edgev1.Fact{Body: make([]byte, 60<<10)})
	}
	if n := len(batch(facts)); n != 8 {
		t.Errorf("%d facts of 60 KiB in a batch", n)
	}
	big := []*edgev1.Fact{{Body: make([]byte, 2*batchBytes)}}
	if len(batch(big)) != 1 {
		t.Error("a big fact never goes")
	}
}
