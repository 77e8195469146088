package routing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/audio"
	"trunkline/internal/fault"
	"trunkline/internal/prompts"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

const (
	maxPrompts     = 200
	maxPromptBytes = 128 << 20 // of a tenant, as u-law: more than four hours
	longestPrompt  = 5 * time.Minute
	rate           = 8000 // u-law bytes a second
)

var promptName = regexp.MustCompile(`^[a-z0-9_]{1,60}$`)

// prompt is an uploaded one.
type prompt struct {
	Name       string
	Language   string
	Hash       string
	DurationMs int32
	UploadedAt time.Time
}

const promptColumns = "name, language, hash, duration_ms, uploaded_at"

func (p prompt) view() *cloudv1.Prompt {
	return &cloudv1.Prompt{
		Name: p.Name, Language: p.Language, DurationMs: uint32(p.DurationMs), UploadedAt: timestamppb.New(p.UploadedAt), Hash: p.Hash,
	}
}

func includedView(i prompts.Info) *cloudv1.Prompt {
	ulaw, _ := prompts.Get(i.Name, i.Language)
	return &cloudv1.Prompt{
		Name: i.Name, Language: i.Language, Included: true, Text: i.Text, DurationMs: uint32(i.Duration.Milliseconds()), Hash: hashOf(ulaw),
	}
}

func hashOf(ulaw []byte) string {
	sum := sha256.Sum256(ulaw)
	return hex.EncodeToString(sum[:])
}

// ListPrompts gives every prompt a flow may name, by name and language: the
// tenant's own in place of the included one. Text is what the included one says.
func (s *Service) ListPrompts(ctx context.Context, _ *cloudv1.ListPromptsRequest) (*cloudv1.ListPromptsResponse, error) {
	tenant := rpcx.TenantFrom(ctx)
	own, err := tenantdb.Many[prompt](ctx, s.db, tenant, "SELECT "+promptColumns+" FROM prompts WHERE tenant_id = $1 LIMIT $2", tenant, maxPrompts)
	if err != nil {
		return nil, err
	}
	type key struct{ name, language string }
	all := map[key]*cloudv1.Prompt{}
	for _, i := range prompts.All() {
		all[key{i.Name, i.Language}] = includedView(i)
	}
	for _, p := range own {
		v := p.view()
		if included := all[key{p.Name, p.Language}]; included != nil {
			v.Text = included.Text
		}
		all[key{p.Name, p.Language}] = v
	}
	out := &cloudv1.ListPromptsResponse{}
	for _, v := range all {
		out.Prompts = append(out.Prompts, v)
	}
	slices.SortFunc(out.Prompts, func(a, b *cloudv1.Prompt) int {
		return strings.Compare(a.Name+"\x00"+a.Language, b.Name+"\x00"+b.Language)
	})
	return out, nil
}

// UploadPrompt takes a WAV file in place of the included prompt of that name, or
// as a new one.
func (s *Service) UploadPrompt(ctx context.Context, req *cloudv1.UploadPromptRequest) (*cloudv1.Prompt, error) {
	if !promptName.MatchString(req.Name) {
		return nil, fault.New(fault.Invalid, "fault.prompt.name").WithField("name")
	}
	ulaw, err := readWAV(req.Wav)
	if err != nil {
		return nil, err
	}
	tenant := rpcx.TenantFrom(ctx)
	caller, _ := rpcx.CallerFrom(ctx)
	p := prompt{Name: req.Name, Language: req.Language, Hash: hashOf(ulaw), DurationMs: int32(len(ulaw) * 1000 / rate)}
	err = s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) (err error) {
		p.UploadedAt, err = savePrompt(ctx, tx, tenant, p, ulaw, caller.Actor())
		return err
	})
	if err != nil {
		return nil, err
	}
	return p.view(), nil
}

// readWAV converts a file to u-law, or says why it can not be used.
func readWAV(wav []byte) ([]byte, error) {
	pcm, err := audio.ReadWAV(bytes.NewReader(wav), longestPrompt)
	if err != nil {
		if w, ok := errors.AsType[*audio.WAVError](err); ok {
			return nil, fault.Wrap(err, fault.Invalid, "fault.prompt."+string(w.Problem)).WithField("wav")
		}
		return nil, fault.Wrap(err, fault.Invalid, "fault.prompt.not_wav").WithField("wav")
	}
	return audio.AppendULaw(make([]byte, 0, len(pcm)), pcm), nil
}

func savePrompt(ctx context.Context, tx pgx.Tx, tenant int64, p prompt, ulaw []byte, by string) (at time.Time, err error) {
	// One upload of a tenant at a time, so that the bounds hold.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('trunkline:prompts:' || $1, 0))", fmt.Sprint(tenant)); err != nil {
		return at, err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO prompt_blobs (tenant_id, hash, data) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
		tenant, p.Hash, ulaw); err != nil {
		return at, err
	}
	at, err = tenantdb.TxOne[time.Time](ctx, tx, `INSERT INTO prompts (tenant_id, name, language, hash, duration_ms, uploaded_by)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, name, language) DO UPDATE SET hash = excluded.hash,
		duration_ms = excluded.duration_ms, uploaded_by = excluded.uploaded_by, uploaded_at = now() RETURNING uploaded_at`,
		tenant, p.Name, p.Language, p.Hash, p.DurationMs, by)
	if err != nil {
		return at, err
	}
	if err := dropUnused(ctx, tx, tenant); err != nil {
		return at, err
	}
	type used struct{ Prompts, Bytes int64 }
	u, err := tenantdb.TxOne[used](ctx, tx, `SELECT (SELECT count(*) FROM prompts WHERE tenant_id = $1) AS prompts,
		(SELECT coalesce(sum(octet_length(data)), 0)::bigint FROM prompt_blobs WHERE tenant_id = $1) AS bytes`, tenant)
	if err != nil {
		return at, err
	}
	if u.Prompts > maxPrompts || u.Bytes > maxPromptBytes {
		return at, fault.New(fault.Exhausted, "fault.prompt.too_many", "max", fmt.Sprint(maxPrompts), "max_mb", fmt.Sprint(maxPromptBytes>>20))
	}
	return at, tenants.Audit(ctx, tx, tenants.Entry{
		Tenant: tenant, Action: "prompt.uploaded", Subject: p.Name, Details: map[string]string{"language": p.Language, "hash": p.Hash},
	})
}

// dropUnused removes audio no prompt names. A site that still wants it for a call
// under way has fetched it before.
func dropUnused(ctx context.Context, tx pgx.Tx, tenant int64) error {
	_, err := tx.Exec(ctx, `DELETE FROM prompt_blobs b WHERE b.tenant_id = $1 AND b.created_at < now() - interval '1 day'
		AND NOT EXISTS (SELECT FROM prompts p WHERE p.tenant_id = b.tenant_id AND p.hash = b.hash)`, tenant)
	return err
}

var errNoPrompt = fault.New(fault.NotFound, "fault.prompt.not_found")

// GetPromptAudio gives a prompt as a WAV file to listen to.
func (s *Service) GetPromptAudio(ctx context.Context, req *cloudv1.GetPromptAudioRequest) (*cloudv1.GetPromptAudioResponse, error) {
	tenant := rpcx.TenantFrom(ctx)
	found, err := tenantdb.Many[[]byte](ctx, s.db, tenant, `SELECT b.data FROM prompts p JOIN prompt_blobs b USING (tenant_id, hash)
		WHERE p.tenant_id = $1 AND p.name = $2 AND p.language = $3`, tenant, req.Name, req.Language)
	if err != nil {
		return nil, err
	}
	var ulaw []byte
	if len(found) > 0 {
		ulaw = found[0]
	} else {
		var ok bool
		if ulaw, ok = prompts.Get(req.Name, req.Language); !ok {
			return nil, errNoPrompt
		}
	}
	var wav bytes.Buffer
	if err := audio.WriteWAV(&wav, audio.AppendPCM(nil, ulaw)); err != nil {
		return nil, err
	}
	return &cloudv1.GetPromptAudioResponse{Wav: wav.Bytes()}, nil
}

// ResetPrompt forgets the tenant's own prompt. One that has no included
// counterpart must not be named by a published flow any more.
func (s *Service) ResetPrompt(ctx context.Context, req *cloudv1.ResetPromptRequest) (*cloudv1.Prompt, error) {
	tenant := rpcx.TenantFrom(ctx)
	_, included := prompts.Get(req.Name, req.Language)
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		if !included {
			if err := notUsed(ctx, tx, tenant, req.Name); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, "DELETE FROM prompts WHERE tenant_id = $1 AND name = $2 AND language = $3", tenant, req.Name, req.Language)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errNoPrompt
		}
		return tenants.Audit(ctx, tx, tenants.Entry{
			Tenant: tenant, Action: "prompt.reset", Subject: req.Name, Details: map[string]string{"language": req.Language},
		})
	})
	if err != nil {
		return nil, err
	}
	for _, i := range prompts.All() {
		if i.Name == req.Name && (i.Language == req.Language || i.Language == "") {
			return includedView(i), nil
		}
	}
	return &cloudv1.Prompt{Name: req.Name, Language: req.Language}, nil
}

func notUsed(ctx context.Context, tx pgx.Tx, tenant int64, name string) error {
	using, err := tenantdb.TxMany[published](ctx, tx, selectPublished+" AND v.document LIKE '%' || $2 || '%' ORDER BY f.id", tenant, `"`+name+`"`)
	if err != nil {
		return err
	}
	if len(using) > 0 {
		return fault.New(fault.Conflict, "fault.prompt.in_use", "flow", using[0].Name)
	}
	return nil
}

// Blob gives the audio of a prompt by its hash: the tenant's own or an included one.
func (s *Service) Blob(ctx context.Context, tenant int64, hash string) ([]byte, error) {
	found, err := tenantdb.Many[[]byte](ctx, s.db, tenant, "SELECT data FROM prompt_blobs WHERE tenant_id = $1 AND hash = $2", tenant, hash)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return found[0], nil
	}
	for _, i := range prompts.All() {
		if ulaw, ok := prompts.Get(i.Name, i.Language); ok && hashOf(ulaw) == hash {
			return ulaw, nil
		}
	}
	return nil, fault.New(fault.NotFound, "fault.blob.not_found")
}
