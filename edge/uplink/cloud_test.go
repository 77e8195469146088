package uplink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"trunkline/internal/fault"
	"trunkline/internal/pki/pkitest"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

// fakeCloud is FleetService as the contract says, over real mutual TLS.
type fakeCloud struct {
	edgev1connect.UnimplementedFleetServiceHandler
	net *memNet
	ca  *pkitest.CA

	changed signal
	mute    bool // Watch says nothing more

	mu        sync.Mutex
	facts     map[int64][]*edgev1.Fact
	cursor    map[int64]uint64
	doubled   int
	pushes    []int                                // facts in each push
	afterPush func(*edgev1.PushFactsRequest) error // after storing
	refuse    map[int64]error
	site      *edgev1.SiteConfig
	blobs     map[string][]byte
	asked     []string
	inbox     []*edgev1.InboxItem
	acked     []uint64
	ackError  error
	watches   int
	live      []pushedLive
	hold      func() // before a PushLive is answered
	reports   []*edgev1.ReportNodeRequest
	uploads   map[string][]byte
	complete  map[string]bool
	chunks    int
	onChunk   func() error
	relays    map[string]int // credentials given, by agent
	relayLife time.Duration  // 0 = no relay
}

type pushedLive struct {
	at      time.Time
	tenants []*edgev1.LiveTenant
}

// startCloud serves until the test ends. Call it inside the test's bubble.
func startCloud(t *testing.T) *fakeCloud {
	t.Helper()
	c := &fakeCloud{
		net: newMemNet(), ca: pkitest.NewCA(t), facts: map[int64][]*edgev1.Fact{}, cursor: map[int64]uint64{},
		refuse: map[int64]error{}, blobs: map[string][]byte{}, uploads: map[string][]byte{}, complete: map[string]bool{},
		site: &edgev1.SiteConfig{SiteId: "site-1"},
	}
	mux := http.NewServeMux()
	mux.Handle(edgev1connect.NewFleetServiceHandler(c))
	srv := &http.Server{
		Handler:  mux,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{c.ca.Cloud()}, ClientCAs: c.ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
			MinVersion: tls.VersionTLS13,
		},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.ServeTLS(c.net, "", "")
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		c.net.cut(true)
		<-done
	})
	return c
}

// change alters the cloud under its lock and tells those who watch.
func (c *fakeCloud) change(f func()) {
	c.mu.Lock()
	f()
	c.mu.Unlock()
	c.changed.fire()
}

// look reads the cloud under its lock.
func look[T any](c *fakeCloud, f func() T) T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f()
}

func (c *fakeCloud) Watch(ctx context.Context, r *edgev1.WatchRequest, out *connect.ServerStream[edgev1.SiteUpdate]) error {
	c.change(func() { c.watches++ })
	beat := func() error {
		return out.Send(&edgev1.SiteUpdate{Body: &edgev1.SiteUpdate_Beat{Beat: &edgev1.Beat{CloudTime: time.Now().UnixMicro()}}})
	}
	if err := beat(); err != nil {
		return err
	}
	var sent *edgev1.SiteConfig
	after := r.InboxAfter
	for {
		changed := c.changed.next()
		c.mu.Lock()
		mute, site := c.mute, c.site
		var items []*edgev1.InboxItem
		for _, i := range c.inbox {
			if i.Seq > after && !slices.Contains(c.acked, i.Seq) {
				items = append(items, i)
				after = i.Seq
			}
		}
		c.mu.Unlock()
		if !mute && site != sent {
			sent = site
			if err := out.Send(&edgev1.SiteUpdate{Body: &edgev1.SiteUpdate_Config{Config: site}}); err != nil {
				return err
			}
		}
		for _, i := range items {
			if err := out.Send(&edgev1.SiteUpdate{Body: &edgev1.SiteUpdate_Inbox{Inbox: i}}); err != nil {
				return err
			}
		}
		t := time.NewTimer(5 * time.Second)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-changed:
			t.Stop()
		case <-t.C:
			if !mute {
				if err := beat(); err != nil {
					return err
				}
			}
		}
	}
}

func (c *fakeCloud) PushFacts(_ context.Context, r *edgev1.PushFactsRequest) (*edgev1.PushFactsResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pushes = append(c.pushes, len(r.Facts))
	if err := c.refuse[r.TenantId]; err != nil {
		return nil, fault.ToConnect(err)
	}
	for _, f := range r.Facts {
		switch {
		case f.Seq <= c.cursor[r.TenantId]:
			c.doubled++
		case f.Seq == c.cursor[r.TenantId]+1:
			c.cursor[r.TenantId]++
			c.facts[r.TenantId] = append(c.facts[r.TenantId], f)
		}
	}
	if c.afterPush != nil {
		if err := c.afterPush(r); err != nil {
			return nil, fault.ToConnect(err)
		}
	}
	return &edgev1.PushFactsResponse{HighWater: c.cursor[r.TenantId]}, nil
}

func (c *fakeCloud) GetTenantConfig(_ context.Context, r *edgev1.GetTenantConfigRequest) (*edgev1.GetTenantConfigResponse, error) {
	data, err := c.blob(r.Manifest)
	return &edgev1.GetTenantConfigResponse{Config: data}, err
}

func (c *fakeCloud) GetBlob(_ context.Context, r *edgev1.GetBlobRequest) (*edgev1.GetBlobResponse, error) {
	data, err := c.blob(r.Hash)
	return &edgev1.GetBlobResponse{Data: data}, err
}

func (c *fakeCloud) blob(hash string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, hash)
	data, ok := c.blobs[hash]
	if !ok {
		return nil, fault.ToConnect(fault.New(fault.NotFound, "fault.blob.unknown"))
	}
	return data, nil
}

func (c *fakeCloud) PushLive(_ context.Context, r *edgev1.PushLiveRequest) (*edgev1.Done, error) {
	c.mu.Lock()
	hold := c.hold
	c.mu.Unlock()
	if hold != nil {
		hold()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = append(c.live, pushedLive{time.Now(), r.Tenants})
	return &edgev1.Done{}, nil
}

func (c *fakeCloud) ReportNode(_ context.Context, r *edgev1.ReportNodeRequest) (*edgev1.Done, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reports = append(c.reports, r)
	return &edgev1.Done{}, nil
}

func (c *fakeCloud) AckInbox(_ context.Context, r *edgev1.AckInboxRequest) (*edgev1.Done, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ackError != nil {
		return nil, fault.ToConnect(c.ackError)
	}
	c.acked = append(c.acked, r.Seqs...)
	return &edgev1.Done{}, nil
}

func (c *fakeCloud) RecordingOffset(_ context.Context, r *edgev1.RecordingOffsetRequest) (*edgev1.RecordingOffsetResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &edgev1.RecordingOffsetResponse{Offset: uint64(len(c.uploads[r.RecordingId])), Complete: c.complete[r.RecordingId]}, nil
}

func (c *fakeCloud) UploadRecording(_ context.Context, r *edgev1.UploadRecordingRequest) (*edgev1.RecordingOffsetResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if sum := sha256.Sum256(r.Data); !bytes.Equal(sum[:], r.Hash) {
		return nil, fault.ToConnect(fault.New(fault.Invalid, "fault.recording.damaged"))
	}
	have := c.uploads[r.RecordingId]
	if int(r.Offset) != len(have) {
		return &edgev1.RecordingOffsetResponse{Offset: uint64(len(have))}, nil
	}
	c.chunks++
	c.uploads[r.RecordingId] = append(have, r.Data...)
	if c.onChunk != nil {
		if err := c.onChunk(); err != nil {
			return nil, fault.ToConnect(err)
		}
	}
	if r.Last {
		if sum := sha256.Sum256(c.uploads[r.RecordingId]); !bytes.Equal(sum[:], r.FileHash) {
			c.uploads[r.RecordingId] = nil
			return nil, fault.ToConnect(fault.New(fault.Invalid, "fault.recording.damaged"))
		}
		c.complete[r.RecordingId] = true
	}
	return &edgev1.RecordingOffsetResponse{Offset: uint64(len(c.uploads[r.RecordingId])), Complete: r.Last}, nil
}

var errAway = errors.New("away")
