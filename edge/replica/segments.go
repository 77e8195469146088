package replica

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// openLog opens the log in dir, in files of segmentBytes each.
func openLog(dir string, segmentBytes int, log hclog.Logger) (*wal.WAL, error) {
	if segmentBytes == 0 {
		segmentBytes = wal.DefaultSegmentSize
	}
	if err := finishRotation(dir, segmentBytes); err != nil {
		return nil, fmt.Errorf("replica: open log: %w", err)
	}
	l, err := wal.Open(dir, wal.WithLogger(log), wal.WithSegmentSize(segmentBytes))
	if err != nil {
		return nil, fmt.Errorf("replica: open log: %w", err)
	}
	return l, nil
}

// finishRotation begins the file after a full one, if the node ended before that
// was done. raft-wal does it in the background after the entry that fills a file,
// and never makes up for it (seen in v0.4.1): the log would open and refuse every
// entry with "segment is sealed", at each start again.
func finishRotation(dir string, segmentBytes int) (err error) {
	var meta metadb.BoltMetaDB
	state, err := meta.Load(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, meta.Close()) }()
	if len(state.Segments) == 0 {
		return nil
	}
	tail := &state.Segments[len(state.Segments)-1]
	if !tail.SealTime.IsZero() {
		return nil
	}
	file, err := segment.NewFiler(dir, fs.New()).RecoverTail(*tail)
	if errors.Is(err, os.ErrNotExist) { // it is known before it is made
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	full, index, err := file.Sealed()
	if err != nil || !full {
		return err
	}
	tail.MaxIndex, tail.IndexStart, tail.SealTime = file.LastIndex(), index, time.Now()
	state.Segments = append(state.Segments, types.SegmentInfo{
		ID: state.NextSegmentID, BaseIndex: tail.MaxIndex + 1, MinIndex: tail.MaxIndex + 1,
		Codec: wal.CodecBinaryV1, CreateTime: tail.SealTime, SizeLimit: uint32(segmentBytes),
	})
	state.NextSegmentID++
	return meta.CommitState(state)
}
