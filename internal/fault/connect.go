package fault

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	faultv1 "trunkline/proto/gen/trunkline/fault/v1"
)

// codes is the one table from kinds to Connect codes.
var codes = map[Kind]connect.Code{
	Invalid:         connect.CodeInvalidArgument,
	Unauthenticated: connect.CodeUnauthenticated,
	Forbidden:       connect.CodePermissionDenied,
	NotFound:        connect.CodeNotFound,
	Conflict:        connect.CodeFailedPrecondition,
	Exhausted:       connect.CodeResourceExhausted,
	Unavailable:     connect.CodeUnavailable,
	Internal:        connect.CodeInternal,
}

// kinds is the way back, for errors the Connect library makes itself and for
// servers that sent no detail.
var kinds = map[connect.Code]Kind{
	connect.CodeInvalidArgument:    Invalid,
	connect.CodeOutOfRange:         Invalid,
	connect.CodeUnauthenticated:    Unauthenticated,
	connect.CodePermissionDenied:   Forbidden,
	connect.CodeNotFound:           NotFound,
	connect.CodeUnimplemented:      NotFound,
	connect.CodeFailedPrecondition: Conflict,
	connect.CodeAlreadyExists:      Conflict,
	connect.CodeAborted:            Conflict,
	connect.CodeResourceExhausted:  Exhausted,
	connect.CodeUnavailable:        Unavailable,
	connect.CodeDeadlineExceeded:   Unavailable,
}

// ToConnect makes what goes over the wire: the code and one Fault detail, with
// a reference. Anything that is not an *Error becomes Internal without its
// text. A cancelled request stays cancelled. nil stays nil.
func ToConnect(err error) *connect.Error {
	if err == nil {
		return nil
	}
	e := Of(err)
	if e.Reference == "" {
		c := *e
		c.Reference, e = NewReference(), &c
	}
	code := codes[e.Kind]
	if errors.Is(err, context.Canceled) {
		code = connect.CodeCanceled
	}
	out := connect.NewError(code, errors.New(e.Key))
	retry := (e.RetryAfter + time.Second - 1) / time.Second
	detail, derr := connect.NewErrorDetail(&faultv1.Fault{
		Kind: string(e.Kind), MessageKey: e.Key, Params: e.Params, Action: e.Action,
		Reference: e.Reference, RetryAfter: uint32(max(retry, 0)), Field: e.Field,
	})
	if derr == nil {
		out.AddDetail(detail)
	}
	return out
}

// Of finds the fault in err, or makes the one that stands for it: the detail of
// a Connect error from another program, a limit of the Connect library, a
// deadline, or Internal for all else.
func Of(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if ce, ok := errors.AsType[*connect.Error](err); ok {
		return fromConnect(ce)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Wrap(err, Unavailable, "fault.canceled")
	case errors.Is(err, context.DeadlineExceeded):
		return Wrap(err, Unavailable, "fault.timeout").WithRetry(time.Second)
	}
	return Wrap(err, Internal, "fault.internal")
}

func fromConnect(ce *connect.Error) *Error {
	for _, d := range ce.Details() {
		v, err := d.Value()
		if err != nil {
			continue
		}
		if f, ok := v.(*faultv1.Fault); ok {
			return &Error{
				Kind: Kind(f.Kind), Key: f.MessageKey, Params: f.Params, Action: f.Action, Field: f.Field,
				Reference: f.Reference, RetryAfter: time.Duration(f.RetryAfter) * time.Second, Cause: ce,
			}
		}
	}
	kind, ok := kinds[ce.Code()]
	if !ok {
		kind = Internal
	}
	return Wrap(ce, kind, "fault."+string(kind))
}
