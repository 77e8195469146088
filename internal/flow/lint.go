package flow

import (
	"sort"
	"strings"
)

// Finding is one thing wrong (or doubtful) with a document. Key names the
// message in the web app's catalogue.
type Finding struct {
	Error  bool
	NodeID string
	Key    string
	Params map[string]string
}

// Known answers what exists around a document; nil functions are not asked.
type Known struct {
	Prompt func(name, language string) bool
	Queue  func(id string) bool
}

// Lint checks that every caller gets somewhere: every branch leads to a node,
// no loop without a person or an end, prompts and queues exist. Findings come
// in a fixed order.
func Lint(d *Document, k Known) []Finding {
	l := linter{doc: d, known: k}
	if _, ok := d.Nodes[d.Start]; !ok {
		l.add(true, "", "flow.no_start", "node", d.Start)
		return l.found
	}
	ids := make([]string, 0, len(d.Nodes))
	for id := range d.Nodes {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	reached := d.reach(d.Start)
	for _, id := range ids {
		if !reached[id] {
			l.add(false, id, "flow.unreachable")
			continue
		}
		l.node(id, d.Nodes[id])
	}
	l.loops(ids)
	return l.found
}

type linter struct {
	doc   *Document
	known Known
	found []Finding
}

func (l *linter) add(isError bool, node, key string, kv ...string) {
	f := Finding{Error: isError, NodeID: node, Key: key}
	for i := 0; i+1 < len(kv); i += 2 {
		if f.Params == nil {
			f.Params = map[string]string{}
		}
		f.Params[kv[i]] = kv[i+1]
	}
	l.found = append(l.found, f)
}

func (l *linter) node(id string, n Node) {
	switch n.Type {
	case Play:
		l.prompt(id, n.Prompt)
		l.next(id, n.Next)
	case Menu:
		l.prompt(id, n.Prompt)
		l.next(id, n.Next)
		if len(n.Options) == 0 {
			l.add(true, id, "flow.menu_empty")
		}
		for _, digit := range sortedDigits(n.Options) {
			if len(digit) != 1 || !strings.Contains("0123456789*#", digit) {
				l.add(true, id, "flow.menu_digit", "digit", digit)
			}
			l.next(id, n.Options[digit].Next)
		}
		if n.TimeoutMS < 1000 || n.TimeoutMS > 60000 {
			l.add(true, id, "flow.menu_timeout")
		}
		if n.Retries < 0 || n.Retries > 5 {
			l.add(true, id, "flow.menu_retries")
		}
	case Queue:
		if l.known.Queue != nil && !l.known.Queue(n.QueueID) {
			l.add(true, id, "flow.queue_unknown")
		}
		l.next(id, n.Next)
	case Hangup:
	default:
		l.add(true, id, "flow.type_unknown", "type", string(n.Type))
	}
}

func (l *linter) prompt(id, name string) {
	if name == "" {
		l.add(true, id, "flow.prompt_missing")
	} else if l.known.Prompt != nil && !l.known.Prompt(name, l.doc.Language) {
		l.add(true, id, "flow.prompt_unknown", "prompt", name, "language", l.doc.Language)
	}
}

func (l *linter) next(id, next string) {
	if _, ok := l.doc.Nodes[next]; !ok {
		l.add(true, id, "flow.next_missing", "node", next)
	}
}

// loops finds nodes from which a silent caller never reaches a queue or an
// end: following only Next must come to one.
func (l *linter) loops(ids []string) {
	for _, id := range ids {
		at, steps := id, 0
		for ; steps <= len(ids); steps++ {
			n, ok := l.doc.Nodes[at]
			if !ok || n.Type == Queue || n.Type == Hangup {
				break
			}
			at = n.Next
		}
		if steps > len(ids) {
			l.add(true, id, "flow.loop")
		}
	}
}

// reach returns the nodes that can be reached from id.
func (d *Document) reach(id string) map[string]bool {
	seen := map[string]bool{}
	todo := []string{id}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n, ok := d.Nodes[at]
		if !ok || seen[at] {
			continue
		}
		seen[at] = true
		todo = append(todo, n.Next)
		for _, o := range n.Options {
			todo = append(todo, o.Next)
		}
	}
	return seen
}

func sortedDigits(m map[string]Option) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
