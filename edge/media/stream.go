package media

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Config of a Stream. Its functions must not block.
type Config struct {
	// OnDigit is called in order, from the goroutine that reads the port.
	OnDigit func(Digit)
	// OnTimeout is called when no packet has come for RTPTimeout, and again only
	// after packets came back and went away again.
	OnTimeout func()
	// RTPTimeout: 0 is DefaultRTPTimeout, negative is never.
	RTPTimeout time.Duration
	Log        *slog.Logger
}

// Stream is the audio of one leg. All methods may be called from any goroutine.
type Stream struct {
	port   Port
	cfg    Config
	format atomic.Pointer[Format]
	in     receiver
	out    sender

	peer    atomic.Pointer[Stream]
	muted   atomic.Bool
	masked  atomic.Bool
	tap     atomic.Pointer[tapped]
	timeout atomic.Int64

	closing sync.Once
	closed  atomic.Bool
	readers atomic.Int32
	done    chan struct{} // closed by the last reader
}

// NewStream starts to read a port, which then belongs to the Stream.
func NewStream(port Port, format Format, cfg Config) *Stream {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Stream{port: port, cfg: cfg, done: make(chan struct{})}
	s.format.Store(&format)
	s.SetRTPTimeout(cfg.RTPTimeout)
	s.in.init(time.Now())
	s.out.init(port)
	theClock.register(s)
	s.readers.Store(1)
	if p, ok := port.(RTCPPort); ok {
		s.readers.Add(1)
		go s.readRTCP(p)
	}
	go s.read()
	return s
}

// readerEnds is what both goroutines do last.
func (s *Stream) readerEnds() {
	if s.readers.Add(-1) == 0 {
		close(s.done)
	}
}

// Format is what the leg speaks now.
func (s *Stream) Format() Format { return *s.format.Load() }

// SetFormat changes what the leg speaks, after a new offer and answer.
func (s *Stream) SetFormat(f Format) {
	s.format.Store(&f)
	s.out.mu.Lock()
	s.out.from = nil
	s.out.mu.Unlock()
}

// SetRTPTimeout changes Config.RTPTimeout, for example while the far end holds
// and may be silent.
func (s *Stream) SetRTPTimeout(d time.Duration) {
	if d == 0 {
		d = DefaultRTPTimeout
	}
	s.timeout.Store(int64(d))
}

// SetMuted stops or resumes passing on what this leg says. Nothing takes its place.
func (s *Stream) SetMuted(muted bool) {
	s.muted.Store(muted)
	peer := s.peer.Load()
	if peer == nil || muted {
		return
	}
	// What was not passed on shall not look like packets lost.
	peer.out.mu.Lock()
	peer.out.from = nil
	peer.out.mu.Unlock()
}

// Mask keeps both directions of this leg from its tap while on, for card numbers
// and the like. Digits are reported all the same.
func (s *Stream) Mask(on bool) { s.masked.Store(on) }

// Tap gives both directions of this leg to t from now on; nil ends it. A call of
// t that is under way may still end after Tap returns.
func (s *Stream) Tap(t Tap) {
	if t == nil {
		s.tap.Store(nil)
		return
	}
	s.tap.Store(&tapped{tap: t, since: time.Now()})
}

// tapFor gives the tap to call, nil if there is none or it must not hear.
func (s *Stream) tapFor() *tapped {
	if s.masked.Load() {
		return nil
	}
	return s.tap.Load()
}

// joining keeps joins and partings in order; packets do not take it.
var joining sync.Mutex

// Join passes what each leg says to the other. A leg that is joined already
// leaves its peer first. What is played to a leg goes first: the peer is heard
// when it ends.
func Join(a, b *Stream) {
	joining.Lock()
	defer joining.Unlock()
	if a == b || a.closed.Load() || b.closed.Load() {
		return
	}
	a.part()
	b.part()
	a.peer.Store(b)
	b.peer.Store(a)
}

// Unjoin ends Join, from either leg.
func (s *Stream) Unjoin() {
	joining.Lock()
	defer joining.Unlock()
	s.part()
}

func (s *Stream) part() {
	if other := s.peer.Swap(nil); other != nil {
		other.peer.Store(nil)
	}
}

// Close ends the leg and closes its port. What is being played is reported as
// not completed. It does not wait for the goroutine that reads; Done does.
func (s *Stream) Close() error {
	var err error
	s.closing.Do(func() {
		joining.Lock()
		s.closed.Store(true)
		s.part()
		joining.Unlock()
		s.tap.Store(nil)
		s.out.close()
		theClock.forget(s)
		err = s.port.Close()
	})
	return err
}

// Done is closed when the Stream no longer reads: after Close, or after its port
// has failed, which ends a Stream like silence does.
func (s *Stream) Done() <-chan struct{} { return s.done }

// tapped is a tap with what it takes to turn timestamps into offsets. in belongs
// to the goroutine that reads, out to the holder of sender.mu.
type tapped struct {
	tap     Tap
	since   time.Time
	in, out timeline
}
