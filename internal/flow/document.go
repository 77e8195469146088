// Package flow is the flow language: what a caller hears and is asked, step by
// step, as a document that can be linted, stored, diffed and stepped. It is
// pure: reading and checking only. edge/ivr steps a document.
package flow

import (
	"encoding/json"
	"fmt"
)

// Schema is the version of the document model this package reads.
const Schema = 1

// MaxNodes bounds a document; MaxBytes bounds its JSON.
const (
	MaxNodes = 500
	MaxBytes = 256 << 10
)

// Document is one version of a flow.
type Document struct {
	Schema   int             `json:"schema"`
	Language string          `json:"language"` // of prompts: "en", "zh-Hans"
	Start    string          `json:"start"`
	Nodes    map[string]Node `json:"nodes"`
}

// NodeType names what a node does.
type NodeType string

// Types of nodes.
const (
	Play   NodeType = "play"   // speaks Prompt, goes to Next
	Menu   NodeType = "menu"   // speaks Prompt, takes one digit, barge-in
	Queue  NodeType = "queue"  // waits for an agent; Next when nobody could answer
	Hangup NodeType = "hangup" // ends the call
)

// Node is one step. Which fields count depends on Type.
type Node struct {
	Type    NodeType          `json:"type"`
	Prompt  string            `json:"prompt,omitempty"`
	Next    string            `json:"next,omitempty"`
	Options map[string]Option `json:"options,omitempty"` // menu: digit -> branch
	// Menu: silence after the prompt until it is said again, milliseconds.
	TimeoutMS int `json:"timeout_ms,omitempty"`
	// Menu: how often the prompt is said again before Next is taken.
	Retries  int    `json:"retries,omitempty"`
	QueueID  string `json:"queue_id,omitempty"`
	Priority int32  `json:"priority,omitempty"`
}

// Option is one branch of a menu.
type Option struct {
	Label string `json:"label"`
	Next  string `json:"next"`
}

// Parse reads a document. It checks form only; Lint checks sense.
func Parse(b []byte) (*Document, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("flow: document of %d bytes, at most %d", len(b), MaxBytes)
	}
	var d Document
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	if d.Schema != Schema {
		return nil, fmt.Errorf("flow: schema %d, this version reads %d", d.Schema, Schema)
	}
	if len(d.Nodes) > MaxNodes {
		return nil, fmt.Errorf("flow: %d nodes, at most %d", len(d.Nodes), MaxNodes)
	}
	return &d, nil
}

// Default is the flow a new tenant starts with: a greeting, the menu that the
// included prompt speaks (1 support, 2 sales; silence is support), one queue for
// both, and an announcement when nobody can answer. It works untouched.
func Default(language, queueID string) []byte {
	support, sales := "Support", "Sales"
	if language == "zh-Hans" {
		support, sales = "客户服务", "销售"
	}
	d := Document{
		Schema: Schema, Language: language, Start: "greeting",
		Nodes: map[string]Node{
			"greeting": {Type: Play, Prompt: "greeting", Next: "menu"},
			"menu": {
				Type: Menu, Prompt: "main_menu", TimeoutMS: 4000, Retries: 1,
				Options: map[string]Option{"1": {Label: support, Next: "support"}, "2": {Label: sales, Next: "support"}},
				Next:    "support",
			},
			"support": {Type: Queue, QueueID: queueID, Next: "nobody"},
			"nobody":  {Type: Play, Prompt: "nobody_available", Next: "end"},
			"end":     {Type: Hangup},
		},
	}
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		panic(err) // a literal of plain strings always encodes
	}
	return b
}
