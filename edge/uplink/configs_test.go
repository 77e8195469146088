package uplink

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// publish gives a tenant a snapshot of this version in the cloud, with a prompt.
func (c *fakeCloud) publish(t *testing.T, tenant int64, version uint64, prompt string) {
	t.Helper()
	cfg := &edgev1.TenantConfig{
		TenantId: tenant, Version: version, TimeZone: "Europe/Berlin",
		Flows: []*edgev1.FlowVersion{{FlowId: "main", Version: fmt.Sprint(version), Document: fmt.Appendf(nil, "flow %d", version)}},
	}
	if prompt != "" {
		cfg.Prompts = []*edgev1.PromptBlob{{Name: "greeting", Language: "en", Hash: hashOf([]byte(prompt))}}
	}
	data, err := proto.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.change(func() {
		if prompt != "" {
			c.blobs[hashOf([]byte(prompt))] = []byte(prompt)
		}
		c.blobs[hashOf(data)] = data
		site := proto.CloneOf(c.site)
		a := &edgev1.TenantAssignment{TenantId: tenant, Slug: fmt.Sprint("t", tenant), Manifest: hashOf(data)}
		replaced := false
		for i := range site.Tenants {
			if site.Tenants[i].TenantId == tenant {
				site.Tenants[i], replaced = a, true
			}
		}
		if !replaced {
			site.Tenants = append(site.Tenants, a)
		}
		c.site = site
	})
}

func TestConfigurationReachesTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		dir := t.TempDir()
		n := start(t, c, s, dir, nil)
		told := 0
		n.cfg.Store.OnChange(func() { told++ })
		time.Sleep(time.Second)
		c.publish(t, 7, 1, "hello")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		store := n.cfg.Store
		if got := store.Tenant(7).GetVersion(); got != 1 {
			t.Fatalf("version %d two seconds later", got)
		}
		if string(store.Prompt(7, "en", "greeting")) != "hello" || store.Prompt(7, "zh-Hans", "greeting") != nil || store.Prompt(8, "en", "greeting") != nil {
			t.Error("prompts are wrong")
		}
		if told == 0 || s.configs == 0 {
			t.Errorf("told %d times, %d activations", told, s.configs)
		}
		c.publish(t, 7, 2, "good day")
		c.publish(t, 8, 1, "")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if store.Tenant(7).GetVersion() != 2 || store.Tenant(8).GetVersion() != 1 || string(store.Prompt(7, "en", "greeting")) != "good day" {
			t.Error("the second version did not arrive")
		}
		if doc, ok := store.Flow(7, "main", "1"); !ok || string(doc) != "flow 1" {
			t.Error("the earlier flow is gone, though calls may be in it")
		}
		if _, ok := store.Flow(7, "main", "9"); ok {
			t.Error("a flow nobody published")
		}
		// The same again, from disk and without the cloud.
		again, err := OpenStore(dir, filepath.Join(dir, "site.pb"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Site().Tenants) != 2 || again.Tenant(7).GetVersion() != 2 || string(again.Prompt(7, "en", "greeting")) != "good day" {
			t.Error("a restart lost the configuration")
		}
		if doc, ok := again.Flow(7, "main", "1"); !ok || string(doc) != "flow 1" {
			t.Error("a restart lost the earlier flow")
		}
		// A tenant that leaves takes its configuration along.
		c.change(func() {
			site := proto.CloneOf(c.site)
			site.Tenants = site.Tenants[:1]
			c.site = site
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if store.Tenant(8) != nil || store.Tenant(7) == nil {
			t.Error("the wrong tenant is here")
		}
	})
}

func TestUnchangedConfigurationIsActivatedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		c.publish(t, 7, 1, "hello")
		start(t, c, s, t.TempDir(), nil)
		for range 300 {
			time.Sleep(time.Second)
			s.do(func() {}) // something else changes
		}
		synctest.Wait()
		if s.configs != 1 || len(c.asked) != 2 {
			t.Errorf("%d activations, %d questions", s.configs, len(c.asked))
		}
	})
}

func TestOneBrokenTenantHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		n := start(t, c, s, t.TempDir(), nil)
		time.Sleep(time.Second)
		c.publish(t, 7, 1, "hello")
		c.publish(t, 8, 1, "")
		var hash string
		var data []byte
		c.change(func() { // not the content its name says
			hash = c.site.Tenants[0].Manifest
			data = c.blobs[hash]
			c.blobs[hash] = []byte("something else")
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n.cfg.Store.Tenant(8) == nil {
			t.Error("the other tenant waits")
		}
		if n.cfg.Store.Tenant(7) != nil {
			t.Error("wrong content was taken")
		}
		c.change(func() { c.blobs[hash] = data })
		time.Sleep(maxPause + time.Second)
		synctest.Wait()
		if n.cfg.Store.Tenant(7) == nil || string(n.cfg.Store.Prompt(7, "en", "greeting")) != "hello" {
			t.Error("it never came")
		}
	})
}

// neighbours is the other nodes.
type neighbours map[string][]byte

func (b neighbours) Names() []string { return []string{"dead", "other"} }

func (b neighbours) Blob(_ context.Context, node, hash string) ([]byte, error) {
	if data, ok := b[hash]; ok && node == "other" {
		return data, nil
	}
	return nil, os.ErrNotExist
}

func (b neighbours) Hold(_ context.Context, hashes []string) map[string]bool {
	held := map[string]bool{}
	for _, h := range hashes {
		held[h] = true
	}
	return held
}

// hoarders hold all but some blobs.
type hoarders struct {
	neighbours
	mu   sync.Mutex
	lack map[string]bool
	want []string
}

func (m *hoarders) Hold(_ context.Context, hashes []string) map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.want = slices.Clone(hashes)
	held := map[string]bool{}
	for _, h := range hashes {
		held[h] = !m.lack[h]
	}
	return held
}

// lacks says from now on what no majority holds.
func (m *hoarders) lacks(hashes ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lack = map[string]bool{}
	for _, h := range hashes {
		m.lack[h] = true
	}
}

func (m *hoarders) asked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.want
}

// A tenant's snapshot is in force only when a majority of the nodes holds its
// blobs; until then the tenant has the one before, and nobody else waits.
func TestActivationWaitsForAMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, others := startCloud(t), newSite(true), &hoarders{}
		n := start(t, c, s, t.TempDir(), func(cfg *Config) { cfg.Peers = others })
		c.publish(t, 7, 1, "hello")
		time.Sleep(2 * time.Second)
		if n.cfg.Store.Tenant(7).GetVersion() != 1 {
			t.Fatal("what a majority holds is not in force")
		}
		others.lacks(hashOf([]byte("good day")))
		c.publish(t, 7, 2, "good day")
		c.publish(t, 8, 1, "")
		time.Sleep(2 * time.Second)
		if n.cfg.Store.Tenant(8).GetVersion() != 1 {
			t.Error("the other tenant waits")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if v := n.cfg.Store.Tenant(7).GetVersion(); v != 1 || string(n.cfg.Store.Prompt(7, "en", "greeting")) != "hello" {
			t.Fatalf("version %d is in force with one copy", v)
		}
		if s.configs != 2 {
			t.Errorf("%d activations, want 2", s.configs)
		}
		manifest := look(c, func() string { return c.site.Tenants[0].Manifest })
		if want := []string{manifest, hashOf([]byte("good day"))}; !slices.Equal(others.asked(), want) {
			t.Errorf("asked for %q, want %q", others.asked(), want)
		}
		others.lacks()
		time.Sleep(maxPause + time.Second)
		synctest.Wait()
		if n.cfg.Store.Tenant(7).GetVersion() != 2 || string(n.cfg.Store.Prompt(7, "en", "greeting")) != "good day" {
			t.Error("not activated though a majority holds it")
		}
	})
}

// A node asked to hold blobs gets them from the others and says what it lacks.
func TestHoldCopiesFromNeighbours(t *testing.T) {
	c, s := startCloud(t), newSite(false)
	c.net.cut(true)
	here, gone, wrong := hashOf([]byte("here")), hashOf([]byte("gone")), hashOf([]byte("wrong"))
	n := start(t, c, s, t.TempDir(), func(cfg *Config) {
		cfg.Peers = neighbours{here: []byte("here"), wrong: []byte("wrung")}
	})
	missing := n.Hold(t.Context(), []string{here, gone, wrong, "../../etc/passwd"})
	if !slices.Equal(missing, []string{gone, wrong, "../../etc/passwd"}) {
		t.Errorf("missing %q", missing)
	}
	if data, ok := n.cfg.Store.Blob(here); !ok || string(data) != "here" {
		t.Error("not copied")
	}
	if missing := n.Hold(t.Context(), []string{here}); len(missing) > 0 {
		t.Error("it does not know what it holds")
	}
}

func TestFollowerWithoutCloudAsksItsNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		c.publish(t, 7, 1, "hello")
		others := neighbours{}
		for hash, data := range c.blobs {
			others[hash] = data
		}
		c.net.cut(true)
		n := start(t, c, s, t.TempDir(), func(cfg *Config) { cfg.Peers = others })
		time.Sleep(time.Second)
		s.do(func() { s.config = proto.CloneOf(c.site) }) // replicated by the leader
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n.cfg.Store.Tenant(7).GetVersion() != 1 || string(n.cfg.Store.Prompt(7, "en", "greeting")) != "hello" {
			t.Error("the configuration did not come")
		}
		if data, ok := n.cfg.Store.Blob(hashOf([]byte("hello"))); !ok || string(data) != "hello" {
			t.Error("it can not be passed on")
		}
		if s.configs != 0 {
			t.Error("a follower activated")
		}
	})
}

func TestStaleWishIsNotActivated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		c.publish(t, 7, 1, "")
		old := proto.CloneOf(c.site)
		start(t, c, s, t.TempDir(), nil)
		time.Sleep(time.Second)
		c.net.cut(true)
		c.publish(t, 7, 2, "")
		current := proto.CloneOf(c.site)
		time.Sleep(time.Minute)
		// Another node, which still heard the cloud, activated version 2, then died.
		s.do(func() { s.config, s.leader = current, true })
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.configs != 0 || proto.Equal(s.config, old) {
			t.Error("an old configuration replaced a newer one")
		}
	})
}

func TestDamagedBlobIsFetchedAgain(t *testing.T) {
	b := blobs{t.TempDir()}
	data := []byte("hello")
	if err := b.put(hashOf(data), []byte("hullo")); err == nil {
		t.Error("the wrong content was stored")
	}
	if err := b.put("../../etc/passwd", data); err == nil {
		t.Error("a path was taken for a hash")
	}
	if err := b.put(hashOf(data), data); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.path(hashOf(data)), []byte("hullo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.get(hashOf(data)); ok || b.has(hashOf(data)) {
		t.Error("damaged content was given out")
	}
}

func TestCollectKeepsWhatIsNamedAndWhatIsNew(t *testing.T) {
	dir := t.TempDir()
	b := blobs{dir}
	keep, drop := []byte("keep"), []byte("drop")
	for _, d := range [][]byte{keep, drop} {
		if err := b.put(hashOf(d), d); err != nil {
			t.Fatal(err)
		}
	}
	named := map[string]bool{hashOf(keep): true}
	if n := b.collect(named, time.Now()); n != 0 {
		t.Errorf("%d new files removed", n)
	}
	if n := b.collect(named, time.Now().Add(2*collectAge)); n != 1 || !b.has(hashOf(keep)) || b.has(hashOf(drop)) {
		t.Errorf("%d removed", n)
	}
}

func TestPromptCacheIsBounded(t *testing.T) {
	var c promptCache
	loads := 0
	load := func(string) ([]byte, bool) { loads++; return make([]byte, maxCached/4), true }
	for _, hash := range []string{"a", "b", "c", "d", "a", "e", "a", "b"} {
		c.get(hash, load)
	}
	if c.size > maxCached || loads != 6 { // b went for e
		t.Errorf("%d bytes, %d loads", c.size, loads)
	}
}
