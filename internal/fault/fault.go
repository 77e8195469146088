// Package fault is the one error type that crosses an RPC and becomes a
// sentence for a person. Whatever is not a *fault.Error is a defect or an
// outage of ours: the person sees "internal" and a reference, the cause stays
// in the log.
//
// A fault carries a message key, not a sentence: the web app holds the words in
// each language. Params fill the sentence's placeholders and must never be
// secrets.
package fault

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Kind says what sort of failure it is; each maps to one Connect code.
type Kind string

// The kinds, as they appear in trunkline.fault.v1.Fault.kind.
const (
	Invalid         Kind = "invalid"         // the request is wrong as it stands
	Unauthenticated Kind = "unauthenticated" // no session, or one that ended
	Forbidden       Kind = "forbidden"       // a session without the right
	NotFound        Kind = "not_found"       // also: belongs to somebody else
	Conflict        Kind = "conflict"        // the state does not allow it now
	Exhausted       Kind = "exhausted"       // a limit; RetryAfter says when it lifts
	Unavailable     Kind = "unavailable"     // something we need is away; try again
	Internal        Kind = "internal"        // a defect of ours
)

// Error is a failure a person can be told about. Treat one that has been
// returned as immutable: the With methods change a copy.
type Error struct {
	Kind       Kind
	Key        string            // message key, e.g. "fault.join.token_spent"
	Params     map[string]string // values for the message's placeholders
	Action     string            // key of the sentence that says what to do now
	Field      string            // request field at fault, e.g. "numbers[2].e164"
	Reference  string            // set when it is reported, see NewReference
	RetryAfter time.Duration     // 0 = do not retry by itself
	Cause      error             // for the log only
}

// New makes a fault; kv are pairs of parameter name and value.
func New(kind Kind, key string, kv ...string) *Error {
	return Wrap(nil, kind, key, kv...)
}

// Wrap makes a fault that keeps its cause for the log.
func Wrap(cause error, kind Kind, key string, kv ...string) *Error {
	e := &Error{Kind: kind, Key: key, Cause: cause}
	for i := 0; i+1 < len(kv); i += 2 {
		if e.Params == nil {
			e.Params = make(map[string]string, len(kv)/2)
		}
		e.Params[kv[i]] = kv[i+1]
	}
	return e
}

// Error is for logs, never for people.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Kind, e.Key)
	if e.Field != "" {
		fmt.Fprintf(&b, " (field %s)", e.Field)
	}
	for _, k := range slices.Sorted(maps.Keys(e.Params)) {
		fmt.Fprintf(&b, " %s=%q", k, e.Params[k])
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is lets errors.Is compare two faults by kind and key.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Key == e.Key
}

// WithField names the request field at fault.
func (e *Error) WithField(f string) *Error { c := *e; c.Field = f; return &c }

// WithAction adds the key of the sentence that says what to do now.
func (e *Error) WithAction(key string) *Error { c := *e; c.Action = key; return &c }

// WithRetry says after how long a retry is sensible; whole seconds, rounded up.
func (e *Error) WithRetry(d time.Duration) *Error { c := *e; c.RetryAfter = d; return &c }

// WithCause keeps the cause for the log.
func (e *Error) WithCause(cause error) *Error { c := *e; c.Cause = cause; return &c }

// KindOf says what kind err is: "" for nil, Internal for anything unknown.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// crockford leaves out I, L, O and U, which people misread aloud.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewReference makes ten random Crockford base-32 characters (50 bits), which
// stand in the answer, the log and the trace of one failure.
func NewReference() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	for i := range b {
		b[i] = crockford[b[i]&31]
	}
	return string(b[:])
}
