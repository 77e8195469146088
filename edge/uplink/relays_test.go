package uplink

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

func (c *fakeCloud) TurnCredentials(_ context.Context, r *edgev1.TurnCredentialsRequest) (*edgev1.TurnCredentialsResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.relays == nil {
		c.relays = map[string]int{}
	}
	c.relays[r.AgentId]++
	if c.relayLife == 0 {
		return &edgev1.TurnCredentialsResponse{}, nil
	}
	return &edgev1.TurnCredentialsResponse{
		Urls: []string{"turn:relay"}, Username: r.AgentId, Credential: fmt.Sprint(c.relays[r.AgentId]),
		ExpiresAt: time.Now().Add(c.relayLife).UnixMicro(),
	}, nil
}

// sitAtDesk asks as a desktop's stream does, each second.
func sitAtDesk(u *node, agent string, d time.Duration) (r Relay, ok bool) {
	for range int(d / time.Second) {
		_, _ = u.Relay(agent)
		time.Sleep(time.Second)
		synctest.Wait()
	}
	return u.Relay(agent)
}

func TestRelayIsHadInTheBackgroundAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		c.relayLife = 4 * time.Hour
		var told []string
		u := start(t, c, s, t.TempDir(), func(cfg *Config) {
			cfg.RelayChanged = func(agent string) { told = append(told, agent) }
		})
		if _, ok := u.Relay("ada"); ok {
			t.Error("a relay before the cloud was asked")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		r, ok := u.Relay("ada")
		if !ok || r.Username != "ada" || r.Password != "1" || len(r.URLs) != 1 {
			t.Errorf("got %+v, %v", r, ok)
		}
		if len(told) != 1 || told[0] != "ada" {
			t.Errorf("told of %v", told)
		}
		if _, ok := u.Relay("bob"); ok {
			t.Error("one agent has another's relay")
		}
	})
}

func TestRelayIsRenewedBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		c.relayLife = 10 * time.Minute
		u := start(t, c, s, t.TempDir(), nil)
		_, _ = sitAtDesk(u, "ada", 2*time.Second)
		for range 60 * 60 {
			r, ok := sitAtDesk(u, "ada", time.Second)
			if left := time.Until(r.Ends); !ok || left < 4*time.Minute {
				t.Fatalf("%v, ends in %s", ok, left)
			}
		}
		if n := look(c, func() int { return c.relays["ada"] }); n < 11 || n > 14 {
			t.Errorf("asked %d times in an hour", n)
		}
	})
}

// With the cloud away credentials work to their end and are then left out; it is
// asked again when it is back.
func TestRelayWithoutTheCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		c.relayLife = 10 * time.Minute
		u := start(t, c, s, t.TempDir(), nil)
		_, _ = sitAtDesk(u, "ada", 2*time.Second)
		c.net.cut(true)
		if _, ok := sitAtDesk(u, "ada", 8*time.Minute); !ok {
			t.Error("the relay is gone before its end")
		}
		if r, ok := sitAtDesk(u, "ada", 2*time.Minute); ok {
			t.Errorf("a relay that has ended: %+v", r)
		}
		c.net.cut(false)
		if _, ok := sitAtDesk(u, "ada", 30*time.Second); !ok {
			t.Error("no relay after the cloud came back")
		}
	})
}

func TestNoRelayIsBelievedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		u := start(t, c, s, t.TempDir(), nil)
		if _, ok := sitAtDesk(u, "ada", 20*time.Minute); ok {
			t.Error("a relay without URLs")
		}
		if n := look(c, func() int { return c.relays["ada"] }); n < 4 || n > 5 {
			t.Errorf("asked %d times in twenty minutes", n)
		}
	})
}

func TestRelaysOfThoseWhoLeftAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		c.relayLife = 4 * time.Hour
		u := start(t, c, s, t.TempDir(), nil)
		for i := range 100 {
			_, _ = u.Relay(fmt.Sprint("agent", i))
		}
		_, _ = sitAtDesk(u, "ada", 11*time.Minute)
		_, _ = u.Relay("new")
		u.relays.mu.Lock()
		defer u.relays.mu.Unlock()
		if n := len(u.relays.known); n != 2 {
			t.Errorf("%d agents remembered", n)
		}
	})
}
