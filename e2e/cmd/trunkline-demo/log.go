package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// demoLog prints the programs' JSON logs as one tidy stream.
type demoLog struct {
	mu sync.Mutex
	w  io.Writer
}

func newLog(w io.Writer) *demoLog { return &demoLog{w: w} }

func (l *demoLog) say(format string, args ...any) { l.line("demo", fmt.Sprintf(format, args...)) }

func (l *demoLog) line(program, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "%s %-7s %s\n", time.Now().Format("15:04:05"), program, text)
}

// program prints one line of a program's log; what is no JSON is printed as it
// is. What Raft says to itself stays in the log files.
func (l *demoLog) program(name, line string) {
	var rec map[string]any
	if json.Unmarshal([]byte(line), &rec) != nil {
		l.line(name, line)
		return
	}
	text := fmt.Sprint(rec["msg"])
	if strings.HasPrefix(text, "raft") {
		return
	}
	if level, _ := rec["level"].(string); level != "INFO" {
		text = level + " " + text
	}
	keys := make([]string, 0, len(rec))
	for k, v := range rec {
		if v != "" && !slices.Contains([]string{"msg", "level", "time", "site", "node", "incarnation"}, k) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var b strings.Builder
	b.WriteString(text)
	for _, k := range keys {
		fmt.Fprintf(&b, " %s=%v", k, rec[k])
	}
	l.line(name, b.String())
}
