package server

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Every method refuses what is larger than it takes in the same words, on the
// port of people and on that of nodes.
func TestLargeRequestsAreRefused(t *testing.T) {
	h := newHarness(t)
	h.hosted(t, "demo")
	node, owner := h.joinHosted(t, "demo", "n1"), h.signUp("owner@one.example", "One")
	of := edgev1.File_trunkline_edge_v1_fleet_proto.Services().ByName("FleetService").Methods()
	for i := range of.Len() {
		_, err := call(t.Context(), node.http, node.url(), of.Get(i), h.tooLarge(of.Get(i)))
		wantFault(t, err, fault.Exhausted, "fault.request.too_large")
	}
	for _, m := range methods() {
		_, err := owner.call(t.Context(), h.url, m, h.tooLarge(m))
		wantFault(t, err, fault.Exhausted, "fault.request.too_large")
	}
}

// tooLarge is a request a byte or more beyond what the method takes: a field
// nobody knows.
func (h *harness) tooLarge(m protoreflect.MethodDescriptor) *dynamicpb.Message {
	limit := rpcx.DefaultMaxBytes
	if n, ok := h.maxBytes[procedure(m)]; ok {
		limit = n
	}
	msg := dynamicpb.NewMessage(m.Input())
	msg.SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 1000, protowire.BytesType), make([]byte, limit)))
	return msg
}
