package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Browser is a Chromium with a fake microphone, driven by e2e/browser/driver.mjs
// over lines of JSON.
type Browser struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{}
	logs bytes.Buffer

	mu      sync.Mutex
	next    int
	waiting map[int]chan answer
	events  []PageEvent
	changed chan struct{}
}

// BrowserOptions say what a browser is started with.
type BrowserOptions struct {
	Root string // of the repository
	// Microphone is a 48 kHz mono 16 bit WAV file said in a loop; empty is Chromium's beep.
	Microphone string
	// Namespace it lives in; nil is this machine's network.
	Namespace *Namespace
	// Tones in Hz whose arrival over WebRTC is told as events "hears" and "deaf".
	Tones []int
}

// PageEvent is what a page tells: "hears"/"deaf" (Tone), "click" (What, a test
// id), "leg" (What, the state of an audio leg), "offer" (Call), "shows" (What, the
// selector of a watched element, and Text), "console" and "pageerror" (Text).
type PageEvent struct {
	Page  string  `json:"page"`
	Event string  `json:"event"`
	At    int64   `json:"at"`    // Unix milliseconds
	First int64   `json:"first"` // of a tone: when it was there first, be it for a moment
	Late  int64   `json:"late"`  // of a tone: milliseconds the browser was late with it
	Tone  int     `json:"hz"`
	What  string  `json:"what"`
	Call  string  `json:"call"`
	Text  string  `json:"text"`
	URL   string  `json:"url"`
	All   float64 `json:"all"` // dB of full scale
}

// Time is when it happened.
func (e PageEvent) Time() time.Time { return time.UnixMilli(e.At) }

type answer struct {
	ID    int             `json:"id"`
	Value json.RawMessage `json:"value"`
	Error string          `json:"error"`
}

// StartBrowser starts Chromium and returns when it can be driven.
func StartBrowser(ctx context.Context, o BrowserOptions) (*Browser, error) {
	node := filepath.Join(o.Root, ".tools", "node_modules", ".bin", "node")
	if _, err := os.Stat(node); err != nil {
		node = "node"
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return nil, fmt.Errorf("browser tests need Chromium: %w", err)
	}
	args, err := json.Marshal(map[string]any{
		"modules": filepath.Join(o.Root, "webapp", "node_modules"), "chromium": chromium,
		"wav": o.Microphone, "tones": o.Tones,
	})
	if err != nil {
		return nil, err
	}
	b := &Browser{done: make(chan struct{}), waiting: map[int]chan answer{}, changed: make(chan struct{})}
	command := []string{node, filepath.Join(o.Root, "e2e", "browser", "driver.mjs"), string(args)}
	if o.Namespace != nil {
		command = append([]string{"ip", "netns", "exec", o.Namespace.Name}, command...)
	}
	b.cmd = exec.Command(command[0], command[1:]...)
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	b.cmd.Stderr = &b.logs
	if b.in, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	go b.follow(out)
	if _, err := b.Event(ctx, func(e PageEvent) bool { return e.Event == "ready" }); err != nil {
		b.Close()
		return nil, fmt.Errorf("browser: %w\n%s", err, b.logs.String())
	}
	return b, nil
}

func (b *Browser) follow(out io.Reader) {
	defer close(b.done)
	s := bufio.NewScanner(out)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		var a answer
		if json.Unmarshal(s.Bytes(), &a) != nil {
			continue
		}
		b.mu.Lock()
		if to, ok := b.waiting[a.ID]; ok {
			delete(b.waiting, a.ID)
			to <- a
		} else {
			var e PageEvent
			if json.Unmarshal(s.Bytes(), &e) == nil && e.Event != "" {
				b.events = append(b.events, e)
				close(b.changed)
				b.changed = make(chan struct{})
			}
		}
		b.mu.Unlock()
	}
	_ = b.cmd.Wait()
}

// Event waits for an event that is accepted; earlier ones count, the first is returned.
func (b *Browser) Event(ctx context.Context, is func(PageEvent) bool) (PageEvent, error) {
	for seen := 0; ; {
		b.mu.Lock()
		events, changed := b.events, b.changed
		b.mu.Unlock()
		for ; seen < len(events); seen++ {
			if is(events[seen]) {
				return events[seen], nil
			}
		}
		select {
		case <-changed:
		case <-b.done:
			return PageEvent{}, fmt.Errorf("the browser ended")
		case <-ctx.Done():
			return PageEvent{}, ctx.Err()
		}
	}
}

// Events are all so far.
func (b *Browser) Events() []PageEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]PageEvent(nil), b.events...)
}

// Close ends the browser.
func (b *Browser) Close() {
	_ = b.in.Close()
	select {
	case <-b.done:
	case <-time.After(5 * time.Second):
		// The group holds the driver and all of Chromium.
		_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL)
		<-b.done
	}
}

// Page is one person's page; its cookies and storage are its own.
type Page struct {
	b    *Browser
	name string
}

// Args of one request to the driver.
type Args map[string]any

// Open makes a page; args are those of open in driver.mjs.
func (b *Browser) Open(ctx context.Context, name string, args Args) (*Page, error) {
	p := &Page{b: b, name: name}
	return p, p.Do(ctx, "open", args, nil)
}

// Do sends one request and decodes its value into out, if not nil.
func (p *Page) Do(ctx context.Context, do string, args Args, out any) error {
	request := Args{"page": p.name, "do": do}
	for k, v := range args {
		request[k] = v
	}
	to := make(chan answer, 1)
	p.b.mu.Lock()
	p.b.next++
	request["id"] = p.b.next
	p.b.waiting[p.b.next] = to
	line, err := json.Marshal(request)
	if err == nil {
		_, err = p.b.in.Write(append(line, '\n'))
	}
	p.b.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case a := <-to:
		if a.Error != "" {
			return fmt.Errorf("%s: %s %v: %s", p.name, do, args, a.Error)
		}
		if out == nil {
			return nil
		}
		return json.Unmarshal(a.Value, out)
	case <-p.b.done:
		return fmt.Errorf("%s: %s: the browser ended", p.name, do)
	case <-ctx.Done():
		return fmt.Errorf("%s: %s %v: %w", p.name, do, args, ctx.Err())
	}
}

// Event waits for an event of the page at or after since.
func (p *Page) Event(ctx context.Context, since time.Time, is func(PageEvent) bool) (PageEvent, error) {
	return p.b.Event(ctx, func(e PageEvent) bool { return e.Page == p.name && e.At >= since.UnixMilli() && is(e) })
}
