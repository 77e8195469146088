package conversations

import (
	"bytes"
	"context"
	"fmt"

	"trunkline/internal/fault"
	"trunkline/internal/recfile"
	"trunkline/tenants/tenantdb"
)

// partsOf reads a call's recordings in the order they were made.
func (s *Service) partsOf(ctx context.Context, tenant int64, call string) ([]recordingRow, error) {
	return tenantdb.Many[recordingRow](ctx, s.db, tenant, recordingColumns+" AND call_id = $2 ORDER BY segment, id LIMIT 100", tenant, call)
}

// follows says whether a part begins where the one before it ends: what the site
// named then is what is held now, or the same continued by what the first node
// still had on its disk.
func (s *Service) follows(ctx context.Context, tenant int64, before, part recordingRow) bool {
	if len(part.PrevChain) == 0 || before.Status != "stored" {
		return false
	}
	if bytes.Equal(before.FileChain, part.PrevChain) {
		return true
	}
	file, err := s.files.open(tenant, before.ID)
	if err != nil {
		return false
	}
	defer file.Close()
	ok, err := recfile.Contains(file, part.PrevChain)
	if err != nil {
		s.log.WarnContext(ctx, "recording can not be read", "tenant", tenant, "recording", before.ID, "error", err)
	}
	return ok
}

// maxPause bounds the silence between two parts.
const maxPause = 60 * recfile.Rate

// loadCall decrypts all parts of a call's recording and puts each where it began.
func (s *Service) loadCall(ctx context.Context, tenant int64, call string) (*recfile.Recording, error) {
	parts, err := s.partsOf(ctx, tenant, call)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, fault.New(fault.NotFound, "fault.recording.unknown")
	}
	whole := &recfile.Recording{}
	for i, p := range parts {
		rec, err := s.decrypt(ctx, tenant, p)
		if err != nil {
			return nil, err
		}
		pause := 0
		if i > 0 && p.StartedAt != nil && parts[0].StartedAt != nil {
			began := int(p.StartedAt.Sub(*parts[0].StartedAt).Seconds() * recfile.Rate)
			pause = min(max(0, began-len(whole.Left)), maxPause)
		}
		silence := bytes.Repeat([]byte{0xFF}, pause)
		whole.Left = append(append(whole.Left, silence...), rec.Left...)
		whole.Right = append(append(whole.Right, silence...), rec.Right...)
		if len(whole.Left) > maxWhole {
			return nil, fmt.Errorf("the recording of call %s is longer than four hours", call)
		}
	}
	return whole, nil
}

// maxWhole bounds what is held in memory, as for one part: four hours.
const maxWhole = 4 * 3600 * recfile.Rate
