package server

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"trunkline/internal/audio"
	"trunkline/internal/fault"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
)

func (p *person) routing() cloudv1connect.RoutingServiceClient {
	return cloudv1connect.NewRoutingServiceClient(p.http, p.h.url)
}

// flow is the owner's flow, made with the tenant.
func (w *world) flow(t *testing.T) *cloudv1.Flow {
	t.Helper()
	list, err := w.owner.routing().ListFlows(t.Context(), &cloudv1.ListFlowsRequest{})
	if err != nil || len(list.Flows) == 0 {
		t.Fatalf("%v, %v", list, err)
	}
	return list.Flows[0]
}

// wav is a tenth of a second of silence.
func wav(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := audio.WriteWAV(&b, make([]int16, 800)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// prompt uploads a prompt only the owner has.
func (w *world) prompt(t *testing.T) string {
	t.Helper()
	name := w.next("prompt_")
	_, err := w.owner.routing().UploadPrompt(t.Context(), &cloudv1.UploadPromptRequest{Name: name, Language: "en", Wav: wav(t)})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

var _ = fixtures(map[string]fixture{
	cloudv1connect.RoutingServiceListQueuesProcedure: {scope: own, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.ListQueuesRequest{}
	}},
	cloudv1connect.RoutingServiceSaveQueueProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		q, err := w.owner.routing().SaveQueue(t.Context(), &cloudv1.SaveQueueRequest{Queue: &cloudv1.Queue{Name: w.next("Queue "), OfferTimeoutS: 20}})
		if err != nil {
			t.Fatal(err)
		}
		return w.owner, &cloudv1.SaveQueueRequest{Queue: q}
	}},
	cloudv1connect.RoutingServiceListFlowsProcedure: {scope: own, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.ListFlowsRequest{}
	}},
	// A document anybody could publish, so that the foreign id alone is refused.
	cloudv1connect.RoutingServicePublishFlowProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.PublishFlowRequest{
			Id: w.flow(t).Id, Document: `{"schema":1,"language":"en","start":"a","nodes":{"a":{"type":"play","prompt":"greeting","next":"b"},"b":{"type":"hangup"}}}`,
		}
	}},
	// The document names a queue of the owner's: for anybody else there is none.
	cloudv1connect.RoutingServiceLintFlowProcedure: {scope: own, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.PublishFlowRequest{Document: `{"schema":1,"language":"en","start":"a","nodes":{"a":{"type":"hangup"}}}`}
	}},
	cloudv1connect.RoutingServiceListPromptsProcedure: {scope: own, request: func(t *testing.T, w *world) (*person, proto.Message) {
		w.prompt(t)
		return w.owner, &cloudv1.ListPromptsRequest{}
	}},
	cloudv1connect.RoutingServiceUploadPromptProcedure: {scope: own, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.UploadPromptRequest{Name: w.next("prompt_"), Language: "en", Wav: wav(t)}
	}},
	cloudv1connect.RoutingServiceGetPromptAudioProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.GetPromptAudioRequest{Name: w.prompt(t), Language: "en"}
	}},
	cloudv1connect.RoutingServiceResetPromptProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.ResetPromptRequest{Name: w.prompt(t), Language: "en"}
	}},
	cloudv1connect.RoutingServiceGetSettingsProcedure: {scope: own, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.GetSettingsRequest{}
	}},
	cloudv1connect.RoutingServiceSaveSettingsProcedure: {scope: own, request: func(t *testing.T, w *world) (*person, proto.Message) {
		x, err := w.owner.routing().GetSettings(t.Context(), &cloudv1.GetSettingsRequest{})
		if err != nil {
			t.Fatal(fault.Of(err))
		}
		for _, c := range append(x.WrapUpCodes, x.BreakReasons...) {
			c.Id = "" // new ones for everybody who sends this
		}
		return w.owner, &cloudv1.SaveSettingsRequest{Settings: x}
	}},
	cloudv1connect.RoutingServiceGetDiallingProcedure: {scope: own, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.GetDiallingRequest{}
	}},
	cloudv1connect.RoutingServiceSaveDiallingProcedure: {scope: own, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.SaveDiallingRequest{Dialling: &cloudv1.Dialling{Enabled: true, Prefixes: []string{"+49"}, MaxCalls: 2}}
	}},
})
