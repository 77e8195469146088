package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/audio"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// TestCall is the main job: a caller, the menu, the queue, an agent, both hear
// each other, and the call is in the cloud afterwards.
func TestCall(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	tn := newTenant(ctx, t, c)
	desk := tn.desk(ctx, t, "ada", 1)
	if err := desk.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	call := tn.dial(ctx, t, ua, 0, tone(400))
	call.Press("1")
	offer, err := desk.WaitCall(ctx, agentv1.CallState_CALL_STATE_OFFERED)
	if err != nil {
		t.Fatal(err)
	}
	if offer.GetCaller() != "+4930111222" || offer.GetQueueName() == "" || len(offer.GetMenuPath()) != 1 {
		t.Errorf("offer: %v", offer)
	}
	leg, err := desk.Answer(ctx, offer, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer leg.Close()
	eventually(ctx, t, "the agent hears the caller", func() error { return hears(leg.Heard(), 400) })
	eventually(ctx, t, "the caller hears the agent", func() error { return hears(call.Heard().Audio, 1000) })
	call.Hangup(ctx)
	if err := desk.WaitState(ctx, agentv1.AgentState_AGENT_STATE_WRAP_UP); err != nil {
		t.Fatal(err)
	}
	if err := desk.FinishWrapUp(ctx, offer.GetId(), desk.Codes()[0].GetId(), "asked about the invoice"); err != nil {
		t.Fatal(err)
	}
	var rec *cloudv1.Call
	eventually(ctx, t, "the record is in the cloud", func() (err error) {
		rec, err = tn.owner.Calls().GetCall(ctx, &cloudv1.GetCallRequest{Id: offer.GetId()})
		if err == nil && rec.GetWrapUpCode() == "" {
			err = fmt.Errorf("no wrap-up code yet")
		}
		return err
	})
	if rec.GetOutcome() != "answered" || rec.GetAgentId() != desk.Agent().GetId() || rec.GetEndedBy() != "caller" {
		t.Errorf("record: %v", rec)
	}
	checkRecording(ctx, t, tn, offer.GetId(), 1000)
	eventually(ctx, t, "the report counts the call", func() error {
		r, err := tn.owner.Reports().QueueReport(ctx, &cloudv1.QueueReportRequest{
			From: timestamppb.New(began.Add(-time.Hour)), To: timestamppb.New(began.Add(time.Hour)),
		})
		if err == nil && (r.GetTotal().GetOffered() != 1 || r.GetTotal().GetAnswered() != 1) {
			err = fmt.Errorf("total %v", r.GetTotal())
		}
		return err
	})
}

// checkRecording plays the call's recording: the caller left; right, who was heard last.
func checkRecording(ctx context.Context, t *testing.T, tn *tenant, id string, heardHz float64) {
	t.Helper()
	eventually(ctx, t, "the recording is stored", func() error { return stored(ctx, tn, id, 1) })
	rec, err := getCall(ctx, tn, id)
	if err != nil {
		t.Fatal(err)
	}
	address, err := tn.owner.Calls().GetRecordingUrl(ctx, &cloudv1.GetRecordingRequest{
		CallId: id, RecordingId: rec.GetRecordings()[0].GetId(),
	})
	if err != nil {
		t.Fatal(err)
	}
	left, right := download(ctx, t, tn.c.Web+address.GetUrl())
	for side, want := range map[string]struct {
		pcm []int16
		hz  float64
	}{"left, the caller": {left, 400}, "right, what the caller heard": {right, heardHz}} {
		if err := endsIn(want.pcm, want.hz); err != nil {
			t.Errorf("%s: %v", side, err)
		}
	}
}

// endsIn tells whether the last half second of what was said in a recording is the
// tone. After it is silence, while the end is committed. A recording follows the
// far end's clock by at most a sample for each packet, 0.6 %: a piece as long as a
// packet holds one such step, which for a tone of up to 1000 Hz is an eighth of a
// cycle and takes 0.7 dB from it.
func endsIn(pcm []int16, hz float64) error {
	const piece, hangUp = window / 50, window / 5
	said := len(pcm)
	for said > 0 && pcm[said-1] == 0 {
		said--
	}
	if said < window {
		return fmt.Errorf("%d samples recorded, %d until the silence at the end", len(pcm), said)
	}
	to := said - hangUp
	for from := to - window/2; from+piece <= to; from += piece {
		if err := isTone(pcm[from:from+piece], hz); err != nil {
			return fmt.Errorf("%d ms before the silence at the end: %w", (said-from)/8, err)
		}
	}
	return nil
}

// download reads a stereo WAV of 16 bits.
func download(ctx context.Context, t *testing.T, url string) (left, right []int16) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", res.Status, err)
	}
	header := len(audio.WAVHeader(2, 0))
	if len(b) < header || string(b[:4]) != "RIFF" || binary.LittleEndian.Uint16(b[22:]) != 2 {
		t.Fatalf("not a stereo WAV: %d bytes", len(b))
	}
	for b = b[header:]; len(b) >= 4; b = b[4:] {
		left = append(left, int16(binary.LittleEndian.Uint16(b)))
		right = append(right, int16(binary.LittleEndian.Uint16(b[2:])))
	}
	return left, right
}

// window is how much of what was heard is measured: the newest second.
const window = 8000

// tone is one second of a sine at -12 dB, u-law; whole cycles, so it loops.
func tone(hz float64) []byte { return audio.AppendULaw(nil, audio.Tone(hz, -12, window)) }

// hears tells whether the newest second is the tone and little else.
func hears(ulaw []byte, hz float64) error {
	if len(ulaw) < window {
		return fmt.Errorf("only %d samples heard", len(ulaw))
	}
	return isTone(audio.AppendPCM(nil, ulaw[len(ulaw)-window:]), hz)
}

func isTone(pcm []int16, hz float64) error {
	all, at := audio.Level(pcm), audio.ToneLevel(pcm, hz)
	if all < -20 || at < all-1.5 {
		return fmt.Errorf("heard %.1f dB, of which %.0f Hz %.1f dB", all, hz, at)
	}
	return nil
}
