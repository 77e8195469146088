package uplink

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Recording is a closed segment on this node's disk.
type Recording struct {
	ID     string
	Tenant int64
	CallID string
	Size   int64 // bytes
	File   string
}

// File is an open recording.
type File interface {
	io.ReaderAt
	io.Closer
}

// Recordings are this node's closed recordings. Uplink.RecordingClosed tells of
// new ones.
type Recordings interface {
	// Closed lists those that were not put away, oldest first.
	Closed() ([]Recording, error)
	Open(r Recording) (File, error)
	// Uploaded puts one away: the cloud holds it whole. Before that nothing may
	// delete it. It is called again later if it fails; the cloud then says that it
	// has all.
	Uploaded(r Recording) error
}

const (
	chunkSize     = 256 << 10
	uploadTimeout = time.Minute
	// yieldFor bounds how long a chunk waits for facts.
	yieldFor = 2 * time.Second
	// listEvery is how often recordings are looked for without a wake.
	listEvery = 10 * time.Second
)

// runUploads brings recordings to the cloud, one after the other, oldest first.
func (u *Uplink) runUploads(ctx context.Context) error {
	paused := map[string]*held{}
	var away backoff
	for {
		closed, up := u.closed.next(), u.link.up.next()
		todo := u.recordings()
		connected, _ := u.link.state()
		var err error
		if connected {
			err = u.uploadAll(ctx, todo, paused)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if !wait(ctx, away.next(), up) {
				return ctx.Err()
			}
			continue
		}
		away.reset()
		if !wait(ctx, listEvery, closed, up) {
			return ctx.Err()
		}
	}
}

// recordings lists what is to be uploaded.
func (u *Uplink) recordings() []Recording {
	todo, err := u.cfg.Recordings.Closed()
	if err != nil {
		u.log.Error("recordings can not be listed", "error", err)
		return nil
	}
	u.mu.Lock()
	u.waiting = uint64(len(todo))
	u.mu.Unlock()
	return todo
}

// uploadAll uploads what is due. The error is the connection's; what is wrong
// with one recording holds up that one only.
func (u *Uplink) uploadAll(ctx context.Context, todo []Recording, paused map[string]*held) error {
	for _, r := range todo {
		h := paused[r.ID]
		if h != nil && time.Now().Before(h.until) {
			continue
		}
		err := u.upload(ctx, r)
		if err == nil {
			err = u.cfg.Recordings.Uploaded(r)
		}
		if err == nil {
			delete(paused, r.ID)
			u.mu.Lock()
			u.waiting--
			u.mu.Unlock()
			continue
		}
		if ctx.Err() != nil {
			return err
		}
		u.log.Warn("recording not uploaded and put away yet", "recording", r.ID, "tenant", r.Tenant, "call", r.CallID, "error", err)
		if connected, _ := u.link.state(); !connected {
			return err
		}
		if h == nil {
			h = &held{}
			paused[r.ID] = h
		}
		h.again()
	}
	for id := range paused {
		if !slices.ContainsFunc(todo, func(r Recording) bool { return r.ID == id }) {
			delete(paused, id)
		}
	}
	return nil
}

var errNotWhole = errors.New("the cloud does not hold the whole recording")

// upload sends what the cloud has not got of a recording.
func (u *Uplink) upload(ctx context.Context, r Recording) error {
	where, err := u.offset(ctx, r)
	if err != nil || where.Complete {
		return err
	}
	f, err := u.cfg.Recordings.Open(r)
	if err != nil {
		return err
	}
	defer f.Close()
	at, whole := int64(where.Offset), sha256.New()
	if at > r.Size {
		return fmt.Errorf("the cloud holds %d bytes of a recording of %d", at, r.Size)
	}
	if _, err := io.Copy(whole, io.NewSectionReader(f, 0, at)); err != nil {
		return err
	}
	buf := make([]byte, min(chunkSize, r.Size-at))
	for {
		u.yield(ctx)
		n := int(min(chunkSize, r.Size-at))
		if _, err := io.ReadFull(io.NewSectionReader(f, at, int64(n)), buf[:n]); err != nil {
			return err
		}
		whole.Write(buf[:n])
		last := at+int64(n) == r.Size
		res, err := u.sendChunk(ctx, r, at, buf[:n], last, whole)
		if err != nil {
			return err
		}
		at += int64(n)
		switch {
		case res.Complete:
			return nil
		case last:
			return errNotWhole
		case int64(res.Offset) != at:
			return fmt.Errorf("the cloud goes on at %d instead of %d", res.Offset, at)
		}
	}
}

func (u *Uplink) offset(ctx context.Context, r Recording) (*edgev1.RecordingOffsetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	return u.link.bulk.RecordingOffset(ctx, &edgev1.RecordingOffsetRequest{TenantId: r.Tenant, RecordingId: r.ID})
}

func (u *Uplink) sendChunk(ctx context.Context, r Recording, at int64, data []byte, last bool, whole hash.Hash) (*edgev1.RecordingOffsetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	sum := sha256.Sum256(data)
	req := &edgev1.UploadRecordingRequest{
		TenantId: r.Tenant, RecordingId: r.ID, CallId: r.CallID, Offset: uint64(at), Data: data, Hash: sum[:], Last: last,
	}
	if last {
		req.FileHash = whole.Sum(nil)
	}
	res, err := u.link.bulk.UploadRecording(ctx, req)
	if err == nil {
		uploadedBytes.Add(float64(len(data)))
	}
	return res, err
}

// yield lets facts go first: a chunk waits while this node is sending some, but
// not for ever.
func (u *Uplink) yield(ctx context.Context) {
	end := time.Now().Add(yieldFor)
	for {
		idle := u.idle.next()
		left := time.Until(end)
		if !u.sending.Load() || left <= 0 || !wait(ctx, left, idle) {
			return
		}
	}
}
