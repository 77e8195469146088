package softphone

import (
	"cmp"

	"trunkline/edge/call"
	"trunkline/internal/dialling"
	"trunkline/internal/fault"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Numbers outside: which of them an agent may pass a caller on to.

// ringOutsideFor is how long a number outside may ring before the caller comes back.
const ringOutsideFor = 45_000_000

// Why a number is not called, beside the reasons of dialling.Policy.
const (
	problemInvalid   = "invalid"
	problemNoTrunk   = "no_trunk"
	problemUpgrading = "upgrading"
)

// target is a number outside: what to dial, how many such calls the tenant may
// have at a time (0 = no bound), and why it cannot be called, "" when it can.
type target struct {
	number  string
	max     uint32
	problem string
}

// outside reads what was typed for a caller of the tenant. Emergency numbers are
// called over any trunk there is.
func (s *Service) outside(tenant int64, callID, typed string) target {
	cfg := s.site.Config(tenant)
	d := cfg.GetDialling()
	n, err := dialling.Parse(typed, s.home(cfg, callID))
	if err != nil {
		return target{problem: problemInvalid}
	}
	to := target{number: n.Dialled}
	own, shared := s.site.Lines(tenant)
	to.problem = dialling.Policy{Enabled: d.GetEnabled(), Prefixes: d.GetPrefixes()}.Refuse(n)
	switch {
	case to.problem != "":
	case !s.site.Allows(call.TransferCall{Number: n.Dialled}):
		to.problem = problemUpgrading
	case n.Emergency:
		if !own && !shared {
			to.problem = problemNoTrunk
		}
	case own:
		to.max = max(1, d.GetMaxCalls())
	case shared && d.GetSharedCalls() > 0:
		to.max = max(1, min(d.GetMaxCalls(), d.GetSharedCalls()))
	default:
		to.problem = problemNoTrunk
	}
	return to
}

// home is the number of ours whose country national numbers are of: the one the
// caller called, else the tenant's first.
func (s *Service) home(cfg *edgev1.TenantConfig, callID string) string {
	c, ok := s.site.Call(callID)
	var first string
	for _, n := range cfg.GetNumbers() {
		if ok && n.GetE164() == c.Called {
			return c.Called
		}
		first = cmp.Or(first, n.GetE164())
	}
	return first
}

// problems say to a person why a number is not called.
var problems = map[string]*fault.Error{
	problemInvalid:   fault.New(fault.Invalid, "fault.transfer.number_invalid").WithField("number"),
	problemNoTrunk:   fault.New(fault.Forbidden, "fault.transfer.no_trunk"),
	problemUpgrading: fault.New(fault.Unavailable, "fault.site.upgrading"),
	dialling.Off:     fault.New(fault.Forbidden, "fault.transfer.outside_off"),
	dialling.Closed:  fault.New(fault.Forbidden, "fault.transfer.number_closed"),
	dialling.Premium: fault.New(fault.Forbidden, "fault.transfer.number_premium"),
}

// targetNumber is what the picker shows of a typed number; nil when it is none.
func (s *Service) targetNumber(tenant int64, req *agentv1.ListTargetsRequest) *agentv1.TargetNumber {
	if !dialling.Looks(req.GetQuery()) {
		return nil
	}
	to := s.outside(tenant, req.GetCallId(), req.GetQuery())
	return &agentv1.TargetNumber{Number: to.number, Callable: to.problem == "", Problem: to.problem}
}
