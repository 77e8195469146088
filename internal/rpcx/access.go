package rpcx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"trunkline/internal/fault"
	"trunkline/internal/grant"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
)

// access authenticates and checks the permission written on the method.
type access struct {
	authenticate func(context.Context, http.Header, *tls.ConnectionState) (Caller, error)
	recheck      func(Caller) error
	every        time.Duration
}

func (a access) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, err := a.admit(ctx, req.Spec(), req.Header())
		if err != nil {
			return nil, err
		}
		return next(ctx, req)
	}
}

func (a access) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		ctx, err := a.admit(ctx, conn.Spec(), conn.RequestHeader())
		if err != nil {
			return err
		}
		ctx, stop := a.guard(ctx)
		defer stop()
		err = next(ctx, conn)
		if refused, ok := errors.AsType[*fault.Error](context.Cause(ctx)); ok {
			return refused // rather than whatever the handler made of it
		}
		return err
	}
}

// guard ends the context of a stream, with the fault as its cause, when the
// caller loses what admitted them.
func (a access) guard(ctx context.Context) (_ context.Context, stop func()) {
	if a.recheck == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	caller, _ := CallerFrom(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(a.every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := a.recheck(caller); err != nil {
					cancel(fault.Of(err))
					return
				}
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}

func (access) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (a access) admit(ctx context.Context, spec connect.Spec, header http.Header) (context.Context, error) {
	permission, err := PermissionOf(spec)
	if err != nil {
		return ctx, err
	}
	t, _ := ctx.Value(transportKey{}).(transport)
	caller, err := a.authenticate(ctx, header, t.tls)
	if err != nil {
		// A public method is open to a bearer whose token just ended: that is how
		// they get a new one.
		if permission != accessv1.Permission_PERMISSION_PUBLIC {
			return ctx, err
		}
		caller = Caller{}
	}
	caller.IP = t.ip
	ctx = WithCaller(ctx, caller)
	return ctx, Admit(caller, permission)
}

// Admit says whether the caller holds the permission: nil, or the fault to
// answer with. For handlers outside of RPC, such as the download of a recording.
func Admit(c Caller, p accessv1.Permission) error {
	if p == accessv1.Permission_PERMISSION_NODE {
		if c.Node == nil {
			return fault.New(fault.Unauthenticated, "fault.node.certificate_missing")
		}
		return nil
	}
	if grant.Allowed(c.Claims, p) {
		return nil
	}
	if c.Claims.Account == "" {
		return errNoSession
	}
	return errForbidden
}

// PermissionOf reads the permission option of a method. A method without one is
// never served.
func PermissionOf(spec connect.Spec) (accessv1.Permission, error) {
	m, ok := spec.Schema.(protoreflect.MethodDescriptor)
	if !ok {
		return 0, fmt.Errorf("%s has no schema", spec.Procedure)
	}
	opts, ok := m.Options().(*descriptorpb.MethodOptions)
	if !ok || !proto.HasExtension(opts, accessv1.E_Permission) {
		return 0, fmt.Errorf("%s names no permission", spec.Procedure)
	}
	return proto.GetExtension(opts, accessv1.E_Permission).(accessv1.Permission), nil
}
