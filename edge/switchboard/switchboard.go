package switchboard

import (
	"context"
	"log/slog"
	"sync"

	"trunkline/edge/call"
	"trunkline/internal/fault"
	"trunkline/internal/flow"
)

// Config is what a switchboard works with; every field is needed.
type Config struct {
	Node     string
	State    State
	Media    Media
	Outside  Outside
	Prompts  Prompts
	Recorder Recorder
	Rules    Rules
	Log      *slog.Logger
}

// Switchboard holds the mailboxes of the calls this node owns.
type Switchboard struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	boxes map[string]*mailbox
}

// New returns a switchboard without calls.
func New(cfg Config) *Switchboard {
	ctx, cancel := context.WithCancel(context.Background())
	return &Switchboard{cfg: cfg, ctx: ctx, cancel: cancel, boxes: map[string]*mailbox{}}
}

// Start satisfies life.Service; a switchboard is ready when made.
func (s *Switchboard) Start(context.Context) error { return nil }

// Stop ends every mailbox without telling callers: their calls go on at the
// successor, which takes them over from the committed rows.
func (s *Switchboard) Stop(context.Context) error {
	s.cancel()
	s.wg.Wait()
	return nil
}

// NewCall is what a node knows of a call that has just arrived.
type NewCall struct {
	Row      call.Call
	MaxCalls uint32 // of the tenant; 0 = no bound
	Doc      *flow.Document
	Leg      CallerLeg
}

// Begin takes a new call: it is committed, answered, and its flow begins.
func (s *Switchboard) Begin(c NewCall) {
	s.open(c.Row.ID, c.Doc, c.Leg, nil, begin{row: c.Row, maxCalls: c.MaxCalls})
}

// Restored is the outcome of fetching a taken-over call's caller.
type Restored struct {
	Row    call.Call
	Doc    *flow.Document
	Leg    CallerLeg // nil when Err is set
	Dialog []byte
	Gap    int64 // microseconds without sound
	Err    error
	// Outside is the leg to the number outside the caller talks with, under the
	// number RestoredLeg, and its new snapshot; nil when there is none to be had.
	Outside       OutsideLeg
	OutsideDialog []byte
}

// RestoredLeg is the number of a leg to a number outside that was taken over.
const RestoredLeg uint64 = 0

// Resume goes on with a call another node has driven until now.
func (s *Switchboard) Resume(r Restored) {
	if r.Leg == nil {
		r.Leg = noLeg{}
	}
	s.open(r.Row.ID, r.Doc, r.Leg, r.Outside, restored{row: r.Row, dialog: r.Dialog, gap: r.Gap, err: r.Err, outside: r.OutsideDialog})
}

func (s *Switchboard) open(id string, doc *flow.Document, leg CallerLeg, outside OutsideLeg, first event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, dup := s.boxes[id]; dup || s.ctx.Err() != nil {
		return
	}
	b := newMailbox(s, id, doc, leg)
	b.outside = outside
	s.boxes[id] = b
	b.post(first)
	s.wg.Add(2)
	go b.run()
	go b.commits()
}

func (s *Switchboard) box(id string) *mailbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.boxes[id]
}

func (s *Switchboard) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.boxes, id)
}

// Drives tells whether this node has a mailbox for the call.
func (s *Switchboard) Drives(id string) bool { return s.box(id) != nil }

// Count of calls driven here.
func (s *Switchboard) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.boxes)
}

func (s *Switchboard) post(id string, ev event) {
	if b := s.box(id); b != nil {
		b.post(ev)
	}
}

// RowChanged passes a changed row on; nil when the row is gone.
func (s *Switchboard) RowChanged(id string, row *call.Call) {
	if row == nil {
		s.post(id, rowGone{})
		return
	}
	s.post(id, rowChanged{row: *row})
}

// CallerGone: the caller hung up, or the leg died for the given reason.
func (s *Switchboard) CallerGone(id, reason string) { s.post(id, callerGone{reason: reason}) }

// Digit: the caller pressed a key.
func (s *Switchboard) Digit(id string, key byte) { s.post(id, digit{key: key}) }

// DialogChanged: the SIP dialog has a new snapshot to be kept.
func (s *Switchboard) DialogChanged(id string, dialog []byte) {
	s.post(id, dialogChanged{dialog: dialog})
}

// OutsideRings: the number outside rings.
func (s *Switchboard) OutsideRings(id string, leg uint64) { s.post(id, outsideRings{leg: leg}) }

// OutsideHeard: the number's network speaks before the answer.
func (s *Switchboard) OutsideHeard(id string, leg uint64) { s.post(id, outsideHeard{leg: leg}) }

// OutsideAnswered: the number has answered; dialog is the leg's snapshot.
func (s *Switchboard) OutsideAnswered(id string, leg uint64, dialog []byte) {
	s.post(id, outsideAnswered{leg: leg, dialog: dialog})
}

// OutsideHungUp: who was called outside has hung up after the answer.
func (s *Switchboard) OutsideHungUp(id string, leg uint64) {
	s.post(id, outsideGone{leg: leg, outcome: outsideHung})
}

// OutsideGone: the number is not reached, or its leg was lost; outcome is one of
// call.Transfer's.
func (s *Switchboard) OutsideGone(id string, leg uint64, outcome string) {
	s.post(id, outsideGone{leg: leg, outcome: outcome})
}

// OutsideDialog: the number's dialog has a new snapshot to be kept.
func (s *Switchboard) OutsideDialog(id string, leg uint64, dialog []byte) {
	s.post(id, outsideDialog{leg: leg, dialog: dialog})
}

// AttachAgent hands over the agent's negotiated leg; it replaces an older one.
func (s *Switchboard) AttachAgent(id, agentID string, leg AgentLeg) error {
	b := s.box(id)
	if b == nil {
		return fault.New(fault.NotFound, "fault.call.gone")
	}
	if !b.attach(agentID, leg) {
		return fault.New(fault.NotFound, "fault.call.gone")
	}
	return nil
}

// AgentLegDown: the agent's browser leg failed or closed.
func (s *Switchboard) AgentLegDown(id, legID string) { s.post(id, agentLegDown{legID: legID}) }

// Accept answers the offered call for the agent; it returns once committed.
func (s *Switchboard) Accept(ctx context.Context, id, agentID string) error {
	return s.ask(ctx, id, ask{kind: askAccept, agentID: agentID})
}

// Reject refuses the offer; the caller keeps the place.
func (s *Switchboard) Reject(ctx context.Context, id, agentID string) error {
	return s.ask(ctx, id, ask{kind: askReject, agentID: agentID})
}

// Hangup ends the call for the agent.
func (s *Switchboard) Hangup(ctx context.Context, id, agentID string) error {
	return s.ask(ctx, id, ask{kind: askHangup, agentID: agentID})
}

// Hold begins or ends holding the caller.
func (s *Switchboard) Hold(ctx context.Context, id, agentID string, on bool) error {
	return s.ask(ctx, id, ask{kind: askHold, agentID: agentID, on: on})
}

// SendDigits sends RFC 4733 digits to the caller's side.
func (s *Switchboard) SendDigits(ctx context.Context, id, agentID, digits string) error {
	return s.ask(ctx, id, ask{kind: askDigits, agentID: agentID, digits: digits})
}

func (s *Switchboard) ask(ctx context.Context, id string, a ask) error {
	b := s.box(id)
	if b == nil {
		return fault.New(fault.NotFound, "fault.call.gone")
	}
	done := make(chan error, 1)
	a.reply = func(err error) { done <- err }
	b.post(a)
	select {
	case err := <-done:
		return err
	case <-b.done:
		// The mailbox may have answered while it ended.
		select {
		case err := <-done:
			return err
		default:
			return fault.New(fault.NotFound, "fault.call.gone")
		}
	case <-ctx.Done():
		return fault.Wrap(ctx.Err(), fault.Unavailable, "fault.call.no_answer_in_time")
	}
}

// noLeg stands for a caller who could not be had after a takeover.
type noLeg struct{}

func (noLeg) Audio() Audio  { return noAudio{} }
func (noLeg) Answer() error { return nil }
func (noLeg) Reject(int)    {}
func (noLeg) Hangup(string) {}
func (noLeg) Abandon()      {}

type noAudio struct{}

func (noAudio) Play(_ [][]byte, _ bool, done func(bool)) {
	if done != nil {
		done(false)
	}
}
func (noAudio) StopPlay()         {}
func (noAudio) SendDigits(string) {}
