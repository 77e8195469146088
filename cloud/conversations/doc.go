// Package conversations keeps what was said and done: call records with their
// timelines, and recordings.
//
//	fact "call"       -> calls (outcome, times, the whole record)
//	fact "wrap_up"    -> call_wrap_ups; calls.wrap_up_* (time of all, code and note of the last)
//	fact "recording"  -> recordings (manifest: expected)
//	UploadRecording   -> recordings, the file: expected -> uploading -> stored | damaged
//
// Manifest and file arrive in any order. A recording is "stored" once the whole
// file has the hash the site named; when the manifest is there too, its chain
// must be the file's, else it is "damaged".
package conversations

import (
	"context"
	"log/slog"
	"time"

	"trunkline/internal/seal"
	"trunkline/tenants/tenantdb"
)

// Keys opens the private half of a tenant's recording key.
type Keys interface {
	Private(ctx context.Context, tenant int64, id string) ([]byte, error)
}

// Service is CallService, the applier of call facts and the sink of recordings.
type Service struct {
	db    *tenantdb.DB
	keys  Keys
	box   *seal.Box
	files folder
	log   *slog.Logger
	now   func() time.Time
}

// NewService makes it; recordings are kept under dir.
func NewService(db *tenantdb.DB, keys Keys, box *seal.Box, dir string, log *slog.Logger) *Service {
	return &Service{db: db, keys: keys, box: box, files: folder{dir}, log: log, now: time.Now}
}
