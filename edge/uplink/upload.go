package uplink

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"trunkline/internal/durable"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Recording is a closed segment on this node's disk.
type Recording struct {
	ID     string
	Tenant int64
	CallID string
	Size   int64 // bytes
}

// File is an open recording.
type File interface {
	io.ReaderAt
	io.Closer
}

// Recordings are this node's closed recordings. Uplink.RecordingClosed tells of
// new ones.
type Recordings interface {
	// Closed lists them, oldest first, uploaded ones or not.
	Closed() ([]Recording, error)
	Open(id string) (File, error)
	// Uploaded tells that the cloud holds it whole. Before that nothing may delete
	// it. It is called again at the next start if it fails.
	Uploaded(id string) error
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

// recordings lists what is to be uploaded, and tells again of what was.
func (u *Uplink) recordings() []Recording {
	closed, err := u.cfg.Recordings.Closed()
	if err != nil {
		u.log.Error("recordings can not be listed", "error", err)
		return nil
	}
	var todo []Recording
	for _, r := range closed {
		if !u.uploaded.has(r.ID) {
			todo = append(todo, r)
		} else if !u.uploaded.told(r.ID) {
			u.tell(r.ID)
		}
	}
	if err := u.uploaded.forget(closed); err != nil {
		u.log.Error("state of uploads can not be kept", "error", err)
	}
	u.mu.Lock()
	u.waiting = uint64(len(todo))
	u.mu.Unlock()
	return todo
}

func (u *Uplink) tell(id string) {
	if err := u.cfg.Recordings.Uploaded(id); err != nil {
		u.log.Warn("uploaded recording not put away yet", "recording", id, "error", err)
		return
	}
	u.uploaded.setTold(id)
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
			delete(paused, r.ID)
			err = u.uploaded.add(r.ID)
		}
		if err == nil {
			u.tell(r.ID)
			u.mu.Lock()
			u.waiting--
			u.mu.Unlock()
			continue
		}
		if ctx.Err() != nil {
			return err
		}
		u.log.Warn("recording not uploaded yet", "recording", r.ID, "tenant", r.Tenant, "call", r.CallID, "error", err)
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
	f, err := u.cfg.Recordings.Open(r.ID)
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
	buf := make([]byte, chunkSize)
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

// uploads remembers which recordings the cloud holds whole: one id a line in a
// file that is only appended to, and written anew when most of it is past.
type uploads struct {
	path string

	mu    sync.Mutex
	done  map[string]bool // id: whether Recordings was told
	lines int
}

func openUploads(dir string) (*uploads, error) {
	u := &uploads{path: filepath.Join(dir, "uploaded"), done: map[string]bool{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Open(u.path)
	if errors.Is(err, os.ErrNotExist) {
		return u, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); u.lines++ {
		u.done[s.Text()] = false // a torn last line names no recording
	}
	return u, nil
}

func (u *uploads) has(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.done[id]
	return ok
}

func (u *uploads) told(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.done[id]
}

func (u *uploads) setTold(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done[id] = true
}

func (u *uploads) add(id string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	f, err := os.OpenFile(u.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(id + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	u.done[id] = false
	u.lines++
	return nil
}

// forget drops recordings that are no longer on the disk, now and then.
func (u *uploads) forget(closed []Recording) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.lines < 2*len(closed)+1000 {
		return nil
	}
	kept := map[string]bool{}
	var text []byte
	for _, r := range closed {
		if told, ok := u.done[r.ID]; ok {
			kept[r.ID] = told
			text = append(text, r.ID+"\n"...)
		}
	}
	if err := durable.WriteFile(u.path, text); err != nil {
		return err
	}
	u.done, u.lines = kept, len(kept)
	return nil
}
