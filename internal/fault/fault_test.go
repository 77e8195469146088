package fault_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"trunkline/internal/fault"
	faultv1 "trunkline/proto/gen/trunkline/fault/v1"
)

func detail(t *testing.T, err error) *faultv1.Fault {
	t.Helper()
	ce := fault.ToConnect(err)
	if len(ce.Details()) != 1 {
		t.Fatalf("%d details", len(ce.Details()))
	}
	v, e := ce.Details()[0].Value()
	if e != nil {
		t.Fatal(e)
	}
	return v.(*faultv1.Fault)
}

func TestToConnectCarriesEverythingAPersonNeeds(t *testing.T) {
	err := fault.New(fault.Exhausted, "fault.too_many", "max", "5").WithField("numbers[2]").WithAction("action.wait").WithRetry(1500 * time.Millisecond)
	f := detail(t, fmt.Errorf("while saving: %w", err))
	if f.Kind != "exhausted" || f.MessageKey != "fault.too_many" || f.Params["max"] != "5" || f.Field != "numbers[2]" ||
		f.Action != "action.wait" || f.RetryAfter != 2 || len(f.Reference) != 10 {
		t.Fatalf("%v", f)
	}
	if code := fault.ToConnect(err).Code(); code != connect.CodeResourceExhausted {
		t.Fatal(code)
	}
}

func TestUnknownErrorsTellNothing(t *testing.T) {
	ce := fault.ToConnect(errors.New("password of db is hunter2"))
	if ce.Code() != connect.CodeInternal || strings.Contains(ce.Error(), "hunter2") {
		t.Fatal(ce)
	}
	if f := detail(t, errors.New("hunter2")); f.Kind != "internal" || strings.Contains(f.String(), "hunter2") {
		t.Fatal(f)
	}
	ce = fault.ToConnect(fault.Wrap(errors.New("hunter2"), fault.Conflict, "fault.x"))
	if strings.Contains(ce.Error(), "hunter2") {
		t.Fatal(ce)
	}
}

func TestAFaultSurvivesTheWire(t *testing.T) {
	sent := fault.New(fault.Conflict, "fault.join.token_spent", "site", "Berlin")
	got := fault.Of(fault.ToConnect(sent))
	if got.Kind != sent.Kind || got.Key != sent.Key || got.Params["site"] != "Berlin" || got.Reference == "" {
		t.Fatalf("%#v", got)
	}
	if !errors.Is(fmt.Errorf("x: %w", sent), fault.New(fault.Conflict, "fault.join.token_spent")) {
		t.Error("not the same by kind and key")
	}
}

func TestKinds(t *testing.T) {
	for err, want := range map[error]fault.Kind{
		nil: "", errors.New("x"): fault.Internal, fault.New(fault.NotFound, "k"): fault.NotFound,
	} {
		if got := fault.KindOf(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
	for err, want := range map[error]fault.Kind{
		context.DeadlineExceeded:                                   fault.Unavailable,
		connect.NewError(connect.CodeUnavailable, errors.New("x")): fault.Unavailable,
		connect.NewError(connect.CodeDataLoss, errors.New("x")):    fault.Internal,
	} {
		if got := fault.Of(err).Kind; got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
	if fault.ToConnect(nil) != nil {
		t.Error("nil became an error")
	}
	if code := fault.ToConnect(fmt.Errorf("read: %w", context.Canceled)).Code(); code != connect.CodeCanceled {
		t.Error(code)
	}
}

func TestWithChangesACopy(t *testing.T) {
	base := fault.New(fault.Invalid, "k")
	_ = base.WithField("f").WithRetry(time.Second).WithAction("a").WithCause(errors.New("c"))
	if base.Field != "" || base.RetryAfter != 0 || base.Action != "" || base.Cause != nil {
		t.Fatalf("%#v", base)
	}
}

func TestReferencesReadAloud(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		r := fault.NewReference()
		if len(r) != 10 || strings.ContainsAny(r, "ILOU") || seen[r] {
			t.Fatal(r)
		}
		seen[r] = true
	}
}
