// Package recording writes what media hands it to disk: one recfile for each
// recorded stretch of a call, caller on the left, what the caller hears on the
// right.
//
//	media.Tap -> Recorder (windows of 400 ms) -> Store's writer -> DIR/<tenant>/<date>/<recording>.tlr
//	                                                 | fsync of all, each second
//	                                                 | Copier: appended bytes to a peer node, each half second
//
// The goroutines of the calls only copy into memory. A window is written
// 100 ms after its end, so what is spoken leaves the process within half a second.
// Only for a side that spoke until now and whose packets stay away, as on a radio
// link that stalls, a window waits longer: until that side has been quiet for a
// second. What comes by then is where it was said. While the disk stalls, windows
// wait in memory, up to 10 s for each call; after that they are lost and counted,
// and the call goes on.
//
// A recording is closed by its manifest, <recording>.json beside it. Recover
// closes what a crash left open.
package recording

import (
	"context"
	"errors"
	"time"

	"trunkline/internal/recfile"
)

// Reasons why a recording ended before its call did, and the errors of Record
// for them.
const (
	ReasonDiskFull  = "disk_full"
	ReasonDiskError = "disk_error"
)

// ErrDiskFull is why nothing is recorded while the disk has too little room.
var ErrDiskFull = errors.New("recording: the disk has too little free space")

// ErrStopped is returned by a Store that does not run.
var ErrStopped = errors.New("recording: not running")

const (
	window     = 400 * time.Millisecond
	samples    = int64(window / sample) // of one channel in a window
	sample     = time.Second / recfile.Rate
	grace      = 100 * time.Millisecond // how late audio may always come for its window
	maxHeldUp  = time.Second            // how long a side that falls silent may only be held up
	maxOpen    = 4                      // windows that maxHeldUp keeps open
	maxPending = int(10 * time.Second / window)

	writeEvery = 50 * time.Millisecond
	syncEvery  = time.Second
	copyEvery  = 500 * time.Millisecond
	diskEvery  = 5 * time.Second
)

// Spec says what is recorded.
type Spec struct {
	Tenant      int64
	CallID      string
	RecordingID string
	// Segment counts the recordings of a call from 0; PrevChain is the chain of the
	// one before where this one began, see Store.Previous. If the owner of that one
	// comes back it may be longer by what was not copied.
	Segment   uint32
	PrevChain []byte
	// PublicKey is the tenant's, by recfile.Keypair, and KeyID its id.
	PublicKey []byte
	KeyID     string
	// StartedAt is now, Unix microseconds of site time.
	StartedAt int64
	// OnStop is called, once and in a goroutine of its own, if the recording ends before
	// Close, with one of the reasons.
	OnStop func(reason string)
}

// Manifest describes a closed recording. Times are Unix microseconds.
type Manifest struct {
	RecordingID string `json:"recording_id"`
	CallID      string `json:"call_id"`
	Tenant      int64  `json:"tenant"`
	Node        string `json:"node"`
	Segment     uint32 `json:"segment"`
	StartedAt   int64  `json:"started_at"`
	EndedAt     int64  `json:"ended_at"`
	Bytes       int64  `json:"bytes"`
	Chunks      uint32 `json:"chunks"`
	Chain       []byte `json:"chain"`
	KeyID       string `json:"key_id"`
	PrevChain   []byte `json:"prev_chain,omitempty"`
	// Reason is why it ended before its call, if it did.
	Reason string `json:"reason,omitempty"`
	// LostWindows counts windows that could not be written in time.
	LostWindows int `json:"lost_windows,omitempty"`
	// Recovered says that a crash ended it.
	Recovered bool `json:"recovered,omitempty"`
	// Reported is set by Reported.
	Reported bool `json:"reported,omitempty"`

	// File is the path of the recording.
	File string `json:"-"`
}

// Copier brings recordings to a peer node while they are written.
type Copier interface {
	// Copy hands over data that begins at offset of the file; last says that it ends
	// the file. It returns the size the peer has now, from where the next call goes
	// on. It is called for several recordings at once.
	Copy(ctx context.Context, tenant int64, recordingID string, offset int64, data []byte, last bool) (size int64, err error)
}
