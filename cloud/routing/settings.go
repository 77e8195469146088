package routing

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

const maxCodes = 100

// Code is a wrap-up code or a reason for a break. Its id stays when the name
// changes, so that old calls keep their meaning.
type Code struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Settings are what a tenant chose once for everything.
type Settings struct {
	Company  string // the tenant's name
	Language string
	TimeZone string // IANA name
	// ShortAbandonS: who hangs up within so many seconds has not abandoned.
	ShortAbandonS         int32
	ServiceLevelS         int32
	ServiceLevelTargetPct int32
	MaxCalls              int32 // at one site, set by the platform
	WrapUpCodes           []Code
	BreakReasons          []Code
}

const selectSettings = `SELECT t.name AS company, t.language, t.time_zone, s.short_abandon_s, s.service_level_s, s.service_level_target_pct,
	s.max_calls, s.wrap_up_codes, s.break_reasons FROM settings s JOIN tenants t USING (tenant_id) WHERE s.tenant_id = $1`

// Settings reads a tenant's settings, for other features.
func (s *Service) Settings(ctx context.Context, tenant int64) (Settings, error) {
	return tenantdb.One[Settings](ctx, s.db, tenant, selectSettings, tenant)
}

func (x Settings) view() *cloudv1.Settings {
	out := &cloudv1.Settings{
		Company: x.Company, Language: x.Language, TimeZone: x.TimeZone, ShortAbandonS: uint32(x.ShortAbandonS),
		ServiceLevelS: uint32(x.ServiceLevelS), ServiceLevelTargetPct: uint32(x.ServiceLevelTargetPct),
	}
	for _, c := range x.WrapUpCodes {
		out.WrapUpCodes = append(out.WrapUpCodes, &cloudv1.Code{Id: c.ID, Name: c.Name})
	}
	for _, c := range x.BreakReasons {
		out.BreakReasons = append(out.BreakReasons, &cloudv1.Code{Id: c.ID, Name: c.Name})
	}
	return out
}

// GetSettings gives the tenant's settings.
func (s *Service) GetSettings(ctx context.Context, _ *cloudv1.GetSettingsRequest) (*cloudv1.Settings, error) {
	x, err := s.Settings(ctx, rpcx.TenantFrom(ctx))
	if err != nil {
		return nil, err
	}
	return x.view(), nil
}

// SaveSettings replaces the tenant's settings, codes and reasons. A code without
// an id is new; one left out is no longer offered.
func (s *Service) SaveSettings(ctx context.Context, req *cloudv1.SaveSettingsRequest) (*cloudv1.Settings, error) {
	tenant, in := rpcx.TenantFrom(ctx), req.Settings
	x := Settings{
		Company: strings.TrimSpace(in.Company), Language: in.Language, TimeZone: in.TimeZone,
		ShortAbandonS: int32(in.ShortAbandonS), ServiceLevelS: int32(in.ServiceLevelS), ServiceLevelTargetPct: int32(in.ServiceLevelTargetPct),
	}
	if err := x.check(); err != nil {
		return nil, err
	}
	var err error
	if x.WrapUpCodes, err = codes(in.WrapUpCodes, "wrap_up_codes"); err != nil {
		return nil, err
	}
	if x.BreakReasons, err = codes(in.BreakReasons, "break_reasons"); err != nil {
		return nil, err
	}
	err = s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error { return x.save(ctx, tx, tenant) })
	if err != nil {
		return nil, err
	}
	return x.view(), nil
}

func (x Settings) check() error {
	invalid := func(field, key string) error { return fault.New(fault.Invalid, key).WithField("settings." + field) }
	if x.Company == "" {
		return invalid("company", "fault.field.required")
	}
	if x.Language != "en" && x.Language != "zh-Hans" {
		return invalid("language", "fault.field.one_of")
	}
	if _, err := time.LoadLocation(x.TimeZone); err != nil || x.TimeZone == "" || x.TimeZone == "Local" {
		return invalid("time_zone", "fault.settings.time_zone")
	}
	return nil
}

func codes(in []*cloudv1.Code, field string) ([]Code, error) {
	out, ids, names := make([]Code, 0, len(in)), map[string]bool{}, map[string]bool{}
	if len(in) > maxCodes {
		return nil, fault.New(fault.Invalid, "fault.field.too_many", "max", fmt.Sprint(maxCodes)).WithField("settings." + field)
	}
	for i, c := range in {
		at := fmt.Sprintf("settings.%s[%d].name", field, i)
		code := Code{ID: c.Id, Name: strings.TrimSpace(c.Name)}
		if code.Name == "" {
			return nil, fault.New(fault.Invalid, "fault.field.required").WithField(at)
		}
		if code.ID == "" || ids[code.ID] || len(code.ID) > 64 {
			code.ID = tenants.NewID()
		}
		if names[strings.ToLower(code.Name)] {
			return nil, fault.New(fault.Invalid, "fault.field.repeated").WithField(at)
		}
		ids[code.ID], names[strings.ToLower(code.Name)] = true, true
		out = append(out, code)
	}
	return out, nil
}

func (x Settings) save(ctx context.Context, tx pgx.Tx, tenant int64) error {
	wrapUp, err := json.Marshal(x.WrapUpCodes)
	if err != nil {
		return err
	}
	breaks, err := json.Marshal(x.BreakReasons)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue("UPDATE tenants SET name = $2, language = $3, time_zone = $4 WHERE tenant_id = $1", tenant, x.Company, x.Language, x.TimeZone)
	batch.Queue(`UPDATE settings SET short_abandon_s = $2, service_level_s = $3, service_level_target_pct = $4, wrap_up_codes = $5,
		break_reasons = $6 WHERE tenant_id = $1`, tenant, x.ShortAbandonS, x.ServiceLevelS, x.ServiceLevelTargetPct, wrapUp, breaks)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	return tenants.Audit(ctx, tx, tenants.Entry{Tenant: tenant, Action: "settings.changed"})
}
