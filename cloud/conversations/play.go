package conversations

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/audio"
	"trunkline/internal/fault"
	"trunkline/internal/recfile"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// ticketLife is how long an address of a recording works. A player asks for
// another when it runs out.
const ticketLife = 10 * time.Minute

// ticketPurpose separates these MACs from all others made with the same key.
const ticketPurpose = "recording address"

// RecordingPath is where recordings are downloaded.
const RecordingPath = "/recordings/"

// ticket is what an address of a recording proves.
type ticket struct {
	Tenant    int64  `json:"t"`
	Recording string `json:"r,omitempty"` // "": the call's, all parts
	Call      string `json:"c,omitempty"`
	Until     int64  `json:"u"` // Unix seconds
}

// load decrypts a recording of the call.
func (s *Service) load(ctx context.Context, tenant int64, call, id string) (*recfile.Recording, error) {
	r, err := tenantdb.One[recordingRow](ctx, s.db, tenant, recordingColumns+" AND id = $2 AND ($3 = '' OR call_id = $3)", tenant, id, call)
	if errors.Is(err, tenantdb.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "fault.recording.unknown")
	}
	if err != nil {
		return nil, err
	}
	return s.decrypt(ctx, tenant, r)
}

func (s *Service) decrypt(ctx context.Context, tenant int64, r recordingRow) (*recfile.Recording, error) {
	if r.Status != "stored" {
		return nil, fault.New(fault.Conflict, "fault.recording."+r.Status).WithRetry(5 * time.Second)
	}
	file, err := s.files.open(tenant, r.ID)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return recfile.Read(file, func(keyID string, enc, wrapped []byte) ([]byte, error) {
		private, err := s.keys.Private(ctx, tenant, keyID)
		if err != nil {
			return nil, err
		}
		return recfile.Unwrap(private, enc, wrapped)
	})
}

// loadParts decrypts one part of a call's recording, or all of them.
func (s *Service) loadParts(ctx context.Context, tenant int64, call, id string) (*recfile.Recording, error) {
	if id == "" {
		return s.loadCall(ctx, tenant, call)
	}
	return s.load(ctx, tenant, call, id)
}

// peaks per recording at most: enough for any screen.
const maxPeaks = 4000

// GetWaveform gives the peaks of both channels.
func (s *Service) GetWaveform(ctx context.Context, req *cloudv1.GetRecordingRequest) (*cloudv1.Waveform, error) {
	rec, err := s.loadParts(ctx, rpcx.TenantFrom(ctx), req.GetCallId(), req.GetRecordingId())
	if err != nil {
		return nil, err
	}
	samples := max(80, (len(rec.Left)+maxPeaks-1)/maxPeaks)
	samples += 7
	samples -= samples % 8 // whole milliseconds
	return &cloudv1.Waveform{
		Caller: audio.Peaks(rec.Left, samples), Agent: audio.Peaks(rec.Right, samples),
		PeakMs: uint32(samples / 8), DurationMs: uint64(len(rec.Left) / 8),
	}, nil
}

// GetRecordingUrl gives a short-lived address of the audio; who listens is audited.
func (s *Service) GetRecordingUrl(ctx context.Context, req *cloudv1.GetRecordingRequest) (*cloudv1.RecordingUrl, error) {
	caller, _ := rpcx.CallerFrom(ctx)
	tenant := caller.Claims.Tenant
	until := s.now().Add(ticketLife)
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tenantdb.TxMany[recordingRow](ctx, tx, recordingColumns+" AND call_id = $2 AND ($3 = '' OR id = $3) LIMIT 1", tenant, req.GetCallId(), req.GetRecordingId())
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return fault.New(fault.NotFound, "fault.recording.unknown")
		}
		return tenants.Audit(ctx, tx, tenants.Entry{Tenant: tenant, Action: "recording.played", Subject: cmp.Or(req.GetRecordingId(), req.GetCallId())})
	})
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(ticket{tenant, req.GetRecordingId(), req.GetCallId(), until.Unix()})
	if err != nil {
		return nil, err
	}
	mac := s.box.MAC(body, ticketPurpose)
	url := RecordingPath + base64.RawURLEncoding.EncodeToString(body) + "." + base64.RawURLEncoding.EncodeToString(mac) + ".wav"
	return &cloudv1.RecordingUrl{Url: url, ExpiresAt: timestamppb.New(until)}, nil
}

// ServeHTTP serves RecordingPath: stereo 16 bit WAV, with ranges.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, ok := s.open(strings.TrimPrefix(r.URL.Path, RecordingPath))
	if !ok {
		http.Error(w, "This address does not work any more. Open the recording again.", http.StatusForbidden)
		return
	}
	rec, err := s.loadParts(r.Context(), t.Tenant, t.Call, t.Recording)
	if err != nil {
		s.log.WarnContext(r.Context(), "recording not served", "tenant", t.Tenant, "call", t.Call, "recording", t.Recording, "error", err)
		http.Error(w, "The recording is not available.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "audio/wav")
	w.Header().Set("Cache-Control", "private, no-store")
	http.ServeContent(w, r, cmp.Or(t.Recording, t.Call)+".wav", time.Time{}, newStereo(rec))
}

func (s *Service) open(name string) (ticket, bool) {
	encoded, mac, ok := strings.Cut(strings.TrimSuffix(name, ".wav"), ".")
	if !ok {
		return ticket{}, false
	}
	body, err1 := base64.RawURLEncoding.DecodeString(encoded)
	sum, err2 := base64.RawURLEncoding.DecodeString(mac)
	var t ticket
	if err1 != nil || err2 != nil || !equalMAC(sum, s.box.MAC(body, ticketPurpose)) || json.Unmarshal(body, &t) != nil {
		return ticket{}, false
	}
	return t, s.now().Unix() < t.Until
}

// stereo reads a recording as a WAV file without holding it decoded.
type stereo struct {
	header      []byte
	left, right []byte
	at          int64
}

func newStereo(r *recfile.Recording) *stereo {
	return &stereo{header: audio.WAVHeader(2, int64(len(r.Left))), left: r.Left, right: r.Right}
}

func (s *stereo) size() int64 { return int64(len(s.header)) + 4*int64(len(s.left)) }

// Read decodes as much as fits.
func (s *stereo) Read(p []byte) (int, error) {
	if s.at >= s.size() {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && s.at < s.size() {
		p[n] = s.byteAt(s.at)
		n++
		s.at++
	}
	return n, nil
}

func (s *stereo) byteAt(i int64) byte {
	if i < int64(len(s.header)) {
		return s.header[i]
	}
	i -= int64(len(s.header))
	channel := s.left
	if i%4 >= 2 {
		channel = s.right
	}
	v := uint16(audio.DecodeULaw(channel[i/4]))
	if i%2 == 1 {
		return byte(v >> 8)
	}
	return byte(v)
}

// Seek satisfies io.Seeker for ranges.
func (s *stereo) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.size()
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d", offset)
	}
	s.at = offset
	return offset, nil
}
