package switchboard

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"trunkline/edge/call"
	"trunkline/internal/flow"
)

// startTimeout bounds the commit of a new call: a caller is not kept waiting
// for an answer longer; the carrier tries another node.
const startTimeout = 3 * time.Second

// applyTimeout is one try of any other commit; it is tried again until done.
const applyTimeout = 10 * time.Second

// mailbox drives one machine: a goroutine that steps it, and one that commits.
type mailbox struct {
	sb     *Switchboard
	id     string
	m      machine
	caller CallerLeg
	log    *slog.Logger
	done   chan struct{}

	mu     sync.Mutex
	queue  []event
	wake   chan struct{}
	legs   map[string]AgentLeg // attached, by leg id; the machine knows the newest
	over   bool                // nobody takes the legs any more
	toDo   []call.Command
	toWake chan struct{}

	// Only touched by run.
	agent      AgentLeg
	joined     AgentLeg
	consulted  AgentLeg
	outside    OutsideLeg
	timers     [timerKinds]*time.Timer
	stopRecord func()
}

func newMailbox(s *Switchboard, id string, doc *flow.Document, leg CallerLeg) *mailbox {
	return &mailbox{
		sb: s, id: id, caller: leg,
		m:    machine{me: s.cfg.Node, rules: s.cfg.Rules, doc: doc},
		log:  s.cfg.Log.With("call", id),
		done: make(chan struct{}), wake: make(chan struct{}, 1), toWake: make(chan struct{}, 1),
		legs: map[string]AgentLeg{},
	}
}

// post appends an event; it never blocks.
func (b *mailbox) post(ev event) {
	b.mu.Lock()
	b.queue = append(b.queue, ev)
	b.mu.Unlock()
	signal(b.wake)
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// attach is false when the call ended meanwhile: the leg stays its maker's.
func (b *mailbox) attach(agentID string, leg AgentLeg) bool {
	b.mu.Lock()
	if b.over {
		b.mu.Unlock()
		return false
	}
	replaced := b.legs[leg.ID()]
	b.legs[leg.ID()] = leg
	b.mu.Unlock()
	if replaced != nil {
		replaced.Close()
	}
	b.post(agentLegUp{agentID: agentID, legID: leg.ID()})
	return true
}

func (b *mailbox) run() {
	defer b.sb.wg.Done()
	defer b.close()
	defer b.contain()
	for {
		select {
		case <-b.sb.ctx.Done():
			return
		case <-b.wake:
		}
		b.mu.Lock()
		events := b.queue
		b.queue = nil
		b.mu.Unlock()
		for _, ev := range events {
			if up, ok := ev.(agentLegUp); ok && !b.adopt(up) {
				continue
			}
			actions := b.m.step(ev, b.sb.cfg.State.Now())
			b.log.Debug("step", "event", word(ev), "phase", b.m.row.Phase, "actions", words(actions))
			for _, a := range actions {
				if _, over := a.(finish); over {
					return
				}
				b.perform(a)
			}
		}
	}
}

// contain keeps a defect in one call from ending all others: the call is given
// up, loudly, and its row removed so that no other node stumbles over it.
func (b *mailbox) contain() {
	p := recover()
	if p == nil {
		return
	}
	b.log.Error("call given up after a defect", "panic", p, "stack", string(debug.Stack()))
	b.caller.Hangup("internal_error")
	b.hangupOutside("internal_error")
	b.sb.wg.Go(func() {
		ctx, cancel := context.WithTimeout(b.sb.ctx, applyTimeout)
		defer cancel()
		_, err := b.sb.cfg.State.Apply(ctx, "", call.CallEnd{CallID: b.id, EndedBy: "lost", Reason: "internal_error"})
		if err != nil {
			b.log.Error("its row stays", "error", err)
		}
	})
}

// word names an event or action for the log.
func word(v any) string { return strings.TrimPrefix(fmt.Sprintf("%T", v), "switchboard.") }

func words(actions []action) []string {
	out := make([]string, len(actions))
	for i, a := range actions {
		out[i] = word(a)
	}
	return out
}

// adopt makes the attached leg the one actions mean; an older one is closed. A
// leg of somebody who is not asked any more is closed itself: it must not take
// the place of the agent who is.
func (b *mailbox) adopt(up agentLegUp) bool {
	b.mu.Lock()
	leg := b.legs[up.legID]
	delete(b.legs, up.legID)
	b.mu.Unlock()
	if leg == nil {
		return false // replaced by one of the same id, which follows
	}
	if !b.m.wants(up) {
		leg.Close()
		return false
	}
	if up.agentID == b.m.row.Consulted() {
		if b.consulted != nil && b.consulted != leg {
			b.consulted.Close()
		}
		b.consulted = leg
		return true
	}
	if b.agent != nil && b.agent != leg {
		b.unjoin()
		b.agent.Close()
	}
	b.agent = leg
	return true
}

// close ends what still runs. After an abandon or a stop nothing is said to the
// caller: another node goes on with the call.
func (b *mailbox) close() {
	b.sb.forget(b.id)
	for _, t := range b.timers {
		if t != nil {
			t.Stop()
		}
	}
	b.unjoin()
	if b.stopRecord != nil {
		b.stopRecord()
	}
	for _, leg := range []AgentLeg{b.agent, b.consulted} {
		if leg != nil {
			leg.Close()
		}
	}
	b.mu.Lock()
	b.over = true
	legs := b.legs
	b.legs = nil
	b.mu.Unlock()
	for _, leg := range legs {
		leg.Close()
	}
	b.abandon()
	close(b.done)
}

func (b *mailbox) perform(act action) {
	switch a := act.(type) {
	case commit:
		b.mu.Lock()
		b.toDo = append(b.toDo, a.cmd)
		b.mu.Unlock()
		signal(b.toWake)
	case answerCaller:
		if err := b.caller.Answer(); err != nil {
			b.log.Warn("answer failed", "error", err)
			b.post(callerGone{reason: "answer_failed"})
		}
	case rejectCaller:
		b.caller.Reject(a.status)
	case hangupCaller:
		b.caller.Hangup(a.reason)
	case abandon:
		b.abandon()
	case dial:
		b.dial(a.leg)
	case hangupOutside:
		b.hangupOutside("")
	case startTimer:
		b.startTimer(a)
	case stopTimer:
		if t := b.timers[a.kind]; t != nil {
			t.Stop()
		}
	case answerAsk:
		a.reply(a.err)
	default:
		b.sound(act)
	}
}

// sound performs the actions that change what somebody hears.
func (b *mailbox) sound(act action) {
	switch a := act.(type) {
	case say:
		b.play(b.clips(a.language, a.prompts...), a.token)
	case sayPlace:
		b.play(b.placeClips(), a.token)
	case music:
		b.caller.Audio().Play(b.clips(a.language, a.prompt), true, nil)
	case stopSay:
		b.caller.Audio().StopPlay()
	case joinLegs:
		if b.agent != nil {
			b.sb.cfg.Media.Join(b.caller.Audio(), b.agent.Audio())
			b.joined = b.agent
		}
	case unjoinLegs:
		b.unjoin()
	case joinOutside:
		if b.outside != nil {
			b.sb.cfg.Media.Join(b.caller.Audio(), b.outside.Audio())
		}
	case closeAgentLeg:
		if b.agent != nil {
			b.agent.Close()
			b.agent = nil
		}
	case joinConsulted, partConsulted, closeConsulted, promoteConsulted, hear:
		b.consult(act)
	case sendDigits:
		b.caller.Audio().SendDigits(a.digits)
	case record:
		b.stopRecord = b.sb.cfg.Recorder.Start(b.m.row, b.caller.Audio())
	}
}

func (b *mailbox) unjoin() {
	if b.joined != nil {
		b.sb.cfg.Media.Unjoin(b.caller.Audio(), b.joined.Audio())
		b.joined = nil
	}
}

// dial calls the row's number outside.
func (b *mailbox) dial(leg uint64) {
	out, err := b.sb.cfg.Outside.Dial(b.m.row, leg)
	if err != nil {
		b.log.Warn("number outside could not be called", "error", err)
		b.post(outsideGone{leg: leg, outcome: "unreachable"})
		return
	}
	b.outside = out
}

func (b *mailbox) hangupOutside(reason string) {
	if b.outside != nil {
		b.sb.cfg.Media.Unjoin(b.caller.Audio(), b.outside.Audio())
		b.outside.Hangup(reason)
		b.outside = nil
	}
}

// abandon leaves what is up to the node that has it now.
func (b *mailbox) abandon() {
	b.caller.Abandon()
	if b.outside != nil {
		b.outside.Abandon()
		b.outside = nil
	}
}

func (b *mailbox) startTimer(a startTimer) {
	if t := b.timers[a.kind]; t != nil {
		t.Stop()
	}
	b.timers[a.kind] = time.AfterFunc(time.Duration(a.after)*time.Microsecond, func() {
		b.post(timer{kind: a.kind, token: a.token})
	})
}

// play says clips once; a prompt that is nowhere to be had counts as said.
func (b *mailbox) play(clips [][]byte, token uint64) {
	if len(clips) == 0 {
		b.post(played{token: token})
		return
	}
	b.caller.Audio().Play(clips, false, func(completed bool) {
		if completed {
			b.post(played{token: token})
		}
	})
}

func (b *mailbox) clips(language string, names ...string) [][]byte {
	var out [][]byte
	for _, n := range names {
		if c := b.sb.cfg.Prompts.Clip(b.m.row.Tenant, language, n); len(c) > 0 {
			out = append(out, c)
		} else {
			b.log.Warn("prompt missing", "tenant", b.m.row.Tenant, "prompt", n, "language", language)
		}
	}
	return out
}

// spokenPlaces is the highest position there is a prompt for.
const spokenPlaces = 20

func (b *mailbox) placeClips() [][]byte {
	n := b.sb.cfg.State.Position(b.id)
	if n < 1 || n > spokenPlaces {
		return b.clips(b.m.doc.Language, "please_wait")
	}
	return b.clips(b.m.doc.Language, "position_prefix", "number_"+strconv.Itoa(n), "position_suffix")
}

// commits carries the machine's commands out, one after the other.
func (b *mailbox) commits() {
	defer b.sb.wg.Done()
	ctx, cancel := context.WithCancel(b.sb.ctx)
	defer cancel()
	go func() { // the mailbox's end ends a retry
		select {
		case <-b.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		b.mu.Lock()
		todo := b.toDo
		b.toDo = nil
		b.mu.Unlock()
		for _, cmd := range todo {
			b.commit(ctx, cmd)
		}
		select {
		case <-ctx.Done():
			return
		case <-b.toWake:
		}
	}
}

// commit applies cmd, again with the same key while the outcome is unknown. A
// call that cannot be committed in time has not begun and is refused.
func (b *mailbox) commit(ctx context.Context, cmd call.Command) {
	key := uuid.Must(uuid.NewV7()).String()
	_, first := cmd.(call.CallStart)
	timeout := applyTimeout
	if first {
		timeout = startTimeout
	}
	for ctx.Err() == nil {
		try, cancel := context.WithTimeout(ctx, timeout)
		res, err := b.sb.cfg.State.Apply(try, key, cmd)
		cancel()
		if err == nil || first {
			if res.Refused != "" {
				b.log.Info("command refused", "type", cmd.CommandType(), "refused", res.Refused)
			}
			b.post(committed{cmd: cmd, res: res, err: err})
			return
		}
		if ctx.Err() != nil {
			return // the call is over: its row may be gone before the commit's answer is here
		}
		b.log.Warn("commit not known, trying again", "type", cmd.CommandType(), "error", err)
	}
}
