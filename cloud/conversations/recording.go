package conversations

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	"trunkline/internal/recfile"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants/tenantdb"
)

// applyManifest announces a recording. The file may be here already, checked
// against nothing but its own hash: then it is checked now. Of several manifests
// (its owner's, and that of a node with a copy) the one the file fits is final.
func applyManifest(ctx context.Context, tx pgx.Tx, tenant int64, site string, m *edgev1.RecordingManifest) error {
	if !plainID.MatchString(m.GetRecordingId()) || m.GetCallId() == "" {
		return fmt.Errorf("recording manifest without ids")
	}
	_, err := tx.Exec(ctx, `INSERT INTO recordings AS r (tenant_id, id, call_id, site_id, segment, started_at, ended_at, bytes, chunks, chain,
			key_id, prev_chain, chains, status)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, ARRAY[$10::bytea], 'expected')
		ON CONFLICT (tenant_id, id) DO UPDATE SET call_id = $3, segment = $5, started_at = $6, ended_at = $7, bytes = $8, chunks = $9,
			chain = $10, key_id = $11, prev_chain = $12,
			chains = CASE WHEN $10 = ANY (r.chains) OR cardinality(r.chains) > 10 THEN r.chains ELSE r.chains || $10::bytea END,
			status = CASE WHEN r.file_chain = $10 THEN 'stored' WHEN r.status = 'stored' THEN 'damaged' ELSE r.status END
		WHERE r.file_chain IS NULL OR r.chain IS DISTINCT FROM r.file_chain`,
		tenant, m.GetRecordingId(), m.GetCallId(), site, m.GetSegment(), at(m.GetStartedAt()), at(m.GetEndedAt()),
		int64(m.GetBytes()), m.GetChunks(), m.GetChain(), m.GetKeyId(), m.GetPrevChain())
	return err
}

// RecordingOffset says from where a site goes on sending.
func (s *Service) RecordingOffset(ctx context.Context, _ string, req *edgev1.RecordingOffsetRequest) (*edgev1.RecordingOffsetResponse, error) {
	size, err := s.files.size(req.GetTenantId(), req.GetRecordingId())
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "fault.recording.id")
	}
	whole, err := s.isWhole(ctx, req.GetTenantId(), req.GetRecordingId())
	return &edgev1.RecordingOffsetResponse{Offset: uint64(size), Complete: whole}, err
}

// isWhole says whether the site has nothing more to send. A damaged file came as
// the site has it: sending it again would not help.
func (s *Service) isWhole(ctx context.Context, tenant int64, id string) (bool, error) {
	n, err := tenantdb.Many[string](ctx, s.db, tenant, `SELECT id FROM recordings WHERE tenant_id = $1 AND id = $2
		AND status IN ('stored', 'damaged')`, tenant, id)
	return len(n) > 0, err
}

// UploadRecording takes the next piece. A piece from elsewhere changes nothing:
// the answer says where to go on. With the last piece the whole file is checked;
// a wrong one is forgotten and sent again from its beginning.
func (s *Service) UploadRecording(ctx context.Context, site string, req *edgev1.UploadRecordingRequest) (*edgev1.RecordingOffsetResponse, error) {
	tenant, id := req.GetTenantId(), req.GetRecordingId()
	size, err := s.files.size(tenant, id)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "fault.recording.id")
	}
	whole, err := s.isWhole(ctx, tenant, id)
	if err != nil || whole || int64(req.GetOffset()) != size {
		return &edgev1.RecordingOffsetResponse{Offset: uint64(size), Complete: whole}, err
	}
	if err := s.files.write(tenant, id, size, req.GetData()); err != nil {
		return nil, err
	}
	size += int64(len(req.GetData()))
	status := "uploading"
	var chain []byte // of a whole, readable file
	if req.GetLast() {
		if status, chain, err = s.check(ctx, tenant, id, req.GetFileHash()); err != nil {
			return nil, err
		}
	}
	// The manifest may come at this very moment: the row it locks decides.
	status, err = tenantdb.One[string](ctx, s.db, tenant, `INSERT INTO recordings AS r (tenant_id, id, call_id, site_id, received, status, file_chain)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, id) DO UPDATE SET received = $5, file_chain = $7,
			chain = CASE WHEN $7 = ANY (r.chains) THEN $7 ELSE r.chain END,
			status = CASE WHEN $6 = 'stored' AND r.chain <> $7 AND NOT $7 = ANY (r.chains) THEN 'damaged' ELSE $6 END
		RETURNING status`,
		tenant, id, req.GetCallId(), site, size, status, chain)
	if err != nil {
		return nil, err
	}
	recordingsTotal.WithLabelValues(status).Inc()
	if status == "damaged" {
		s.log.ErrorContext(ctx, "recording is not what its manifest says", "tenant", tenant, "recording", id)
	}
	return &edgev1.RecordingOffsetResponse{Offset: uint64(size), Complete: status != "uploading"}, nil
}

// check compares the whole file with what the site named, and gives its chain.
func (s *Service) check(ctx context.Context, tenant int64, id string, want []byte) (status string, chain []byte, err error) {
	have, err := s.files.hash(tenant, id)
	if err != nil {
		return "", nil, err
	}
	if !bytes.Equal(have, want) {
		recordingsTotal.WithLabelValues("wrong_hash").Inc()
		s.log.ErrorContext(ctx, "recording with a wrong hash, to be sent again", "tenant", tenant, "recording", id)
		if err := s.files.remove(tenant, id); err != nil {
			return "", nil, err
		}
		return "", nil, fault.New(fault.Conflict, "fault.recording.hash")
	}
	file, err := s.files.open(tenant, id)
	if err != nil {
		return "", nil, err
	}
	defer file.Close()
	sum, err := recfile.Scan(file)
	if err != nil {
		s.log.ErrorContext(ctx, "recording can not be read", "tenant", tenant, "recording", id, "error", err)
		return "damaged", nil, nil
	}
	return "stored", sum.Chain[:], nil
}

type recordingRow struct {
	ID, CallID, Status, KeyID string
	Segment                   int32
	StartedAt, EndedAt        *time.Time
	FileChain, PrevChain      []byte
}

// recordingsOf lists a call's recordings in order.
func (s *Service) recordingsOf(ctx context.Context, tenant int64, call string) ([]*cloudv1.Recording, error) {
	rows, err := s.partsOf(ctx, tenant, call)
	if err != nil {
		return nil, err
	}
	out := make([]*cloudv1.Recording, len(rows))
	for i, r := range rows {
		out[i] = &cloudv1.Recording{Id: r.ID, Segment: uint32(r.Segment), Status: r.Status}
		if r.StartedAt != nil && r.EndedAt != nil {
			out[i].StartedAt = timestamppb.New(*r.StartedAt)
			out[i].DurationMs = uint64(r.EndedAt.Sub(*r.StartedAt).Milliseconds())
		}
		out[i].Follows = i > 0 && s.follows(ctx, tenant, rows[i-1], r)
	}
	return out, nil
}

const recordingColumns = "SELECT id, call_id, status, key_id, segment, started_at, ended_at, file_chain, prev_chain FROM recordings WHERE tenant_id = $1"
