package rpcx

import (
	"context"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"connectrpc.com/connect"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"trunkline/internal/fault"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
)

// What holds for a field without a rule of its own.
const (
	maxString = 256      // bytes
	maxBytes  = 64 << 10 // bytes
	maxItems  = 200
)

// rules checks every request against the rules of access.v1.rule.
type rules struct{}

func (rules) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if err := Validate(req.Any().(proto.Message)); err != nil {
			return nil, err
		}
		return next(ctx, req)
	}
}

func (rules) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return next(ctx, checkedConn{conn})
	}
}

func (rules) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// checkedConn checks each message of a stream as it comes.
type checkedConn struct{ connect.StreamingHandlerConn }

func (c checkedConn) Receive(msg any) error {
	if err := c.StreamingHandlerConn.Receive(msg); err != nil {
		return err
	}
	return Validate(msg.(proto.Message))
}

// Validate checks a message against the rules of its fields and gives the first
// breach as an Invalid fault that names the field.
func Validate(m proto.Message) error {
	if f := check(m.ProtoReflect(), ""); f != nil {
		return f
	}
	return nil
}

func check(m protoreflect.Message, path string) *fault.Error {
	if m.Descriptor().FullName().Parent() == "google.protobuf" {
		return nil
	}
	for _, p := range planOf(m.Descriptor()) {
		at := path + string(p.fd.Name())
		if f := p.field(m, at); f != nil {
			return f
		}
	}
	return nil
}

// plan is a field and its rule, looked up once per message type.
type plan struct {
	fd   protoreflect.FieldDescriptor
	rule *accessv1.Rule
}

var plans sync.Map // protoreflect.FullName -> []plan

func planOf(d protoreflect.MessageDescriptor) []plan {
	if p, ok := plans.Load(d.FullName()); ok {
		return p.([]plan)
	}
	var out []plan
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		rule := &accessv1.Rule{}
		if opts, ok := fd.Options().(*descriptorpb.FieldOptions); ok && proto.HasExtension(opts, accessv1.E_Rule) {
			rule = proto.GetExtension(opts, accessv1.E_Rule).(*accessv1.Rule)
		}
		out = append(out, plan{fd, rule})
	}
	plans.Store(d.FullName(), out)
	return out
}

func (p plan) field(m protoreflect.Message, at string) *fault.Error {
	if !m.Has(p.fd) {
		if p.rule.Required {
			return fault.New(fault.Invalid, "fault.field.required").WithField(at)
		}
		if p.fd.Kind() == protoreflect.MessageKind || p.fd.IsList() || p.fd.IsMap() || p.fd.ContainingOneof() != nil {
			return nil
		}
	}
	v := m.Get(p.fd)
	switch {
	case p.fd.IsList():
		return p.list(v.List(), at)
	case p.fd.IsMap():
		return p.pairs(v.Map(), at)
	}
	return p.value(p.fd, v, at)
}

func (p plan) tooMany(n int, at string) *fault.Error {
	if limit := orElse(int(p.rule.MaxItems), maxItems); n > limit {
		return fault.New(fault.Invalid, "fault.field.too_many", "max", fmt.Sprint(limit)).WithField(at)
	}
	return nil
}

func (p plan) list(l protoreflect.List, at string) *fault.Error {
	if f := p.tooMany(l.Len(), at); f != nil {
		return f
	}
	for i := range l.Len() {
		if f := p.value(p.fd, l.Get(i), fmt.Sprintf("%s[%d]", at, i)); f != nil {
			return f
		}
	}
	return nil
}

func (p plan) pairs(m protoreflect.Map, at string) (f *fault.Error) {
	if f := p.tooMany(m.Len(), at); f != nil {
		return f
	}
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		in := fmt.Sprintf("%s[%q]", at, k.String())
		if len(k.String()) > maxString {
			f = fault.New(fault.Invalid, "fault.field.too_long", "max", fmt.Sprint(maxString)).WithField(at)
			return false
		}
		f = p.value(p.fd.MapValue(), v, in)
		return f == nil
	})
	return f
}

func (p plan) value(fd protoreflect.FieldDescriptor, v protoreflect.Value, at string) *fault.Error {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return p.text(v.String(), at)
	case protoreflect.BytesKind:
		if limit := orElse(int(p.rule.MaxLen), maxBytes); len(v.Bytes()) > limit {
			return fault.New(fault.Invalid, "fault.field.too_long", "max", fmt.Sprint(limit)).WithField(at)
		}
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return check(v.Message(), at+".")
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Sint32Kind, protoreflect.Sint64Kind,
		protoreflect.Sfixed32Kind, protoreflect.Sfixed64Kind:
		return p.number(v.Int(), at)
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return p.number(int64(min(v.Uint(), 1<<63-1)), at)
	}
	return nil
}

func (p plan) number(n int64, at string) *fault.Error {
	if p.rule.Min != 0 && n < p.rule.Min {
		return fault.New(fault.Invalid, "fault.field.too_small", "min", fmt.Sprint(p.rule.Min)).WithField(at)
	}
	if p.rule.Max != 0 && n > p.rule.Max {
		return fault.New(fault.Invalid, "fault.field.too_large", "max", fmt.Sprint(p.rule.Max)).WithField(at)
	}
	return nil
}

// e164 is a plus sign and up to 15 digits, ITU-T E.164 section 6.
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)

func (p plan) text(s, at string) *fault.Error {
	invalid := func(key string, kv ...string) *fault.Error {
		return fault.New(fault.Invalid, key, kv...).WithField(at)
	}
	limit := orElse(int(p.rule.MaxLen), maxString)
	switch {
	case len(p.rule.OneOf) > 0:
		if !slices.Contains(p.rule.OneOf, s) {
			return invalid("fault.field.one_of", "allowed", strings.Join(p.rule.OneOf, ", "))
		}
		return nil
	case len(s) > limit:
		return invalid("fault.field.too_long", "max", fmt.Sprint(limit))
	case s == "":
		return nil
	case strings.ContainsRune(s, 0):
		return invalid("fault.field.invalid") // PostgreSQL text cannot hold it
	case p.rule.MinLen > 0 && utf8.RuneCountInString(s) < int(p.rule.MinLen):
		return invalid("fault.field.too_short", "min", fmt.Sprint(p.rule.MinLen))
	case p.rule.Email && !IsEmail(s):
		return invalid("fault.field.email")
	case p.rule.Uuid && !isUUID(s):
		return invalid("fault.field.uuid")
	case p.rule.E164 && !e164.MatchString(s):
		return invalid("fault.field.e164")
	}
	return nil
}

// IsEmail says whether s is one bare address that mail can be sent to: at most
// 254 bytes (RFC 5321 section 4.5.3.1.3), no display name, no control signs.
func IsEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 {
		return false
	}
	_, domain, _ := strings.Cut(s, "@")
	return domain != "" && !strings.HasPrefix(domain, "[")
}

// isUUID takes the canonical 36 characters in lower case only, so that one id
// has one spelling.
func isUUID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}

func orElse(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
