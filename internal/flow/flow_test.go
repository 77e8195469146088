package flow

import (
	"strings"
	"testing"
)

func TestDefaultIsClean(t *testing.T) {
	for _, lang := range []string{"en", "zh-Hans"} {
		d, err := Parse(Default(lang, "q1"))
		if err != nil {
			t.Fatal(err)
		}
		k := Known{
			Prompt: func(string, string) bool { return true },
			Queue:  func(id string) bool { return id == "q1" },
		}
		if f := Lint(d, k); len(f) != 0 {
			t.Errorf("%s: %+v", lang, f)
		}
	}
}

func TestLint(t *testing.T) {
	cases := map[string]struct {
		doc  string
		want []string // keys, "!" before errors
	}{
		"no start": {`{"schema":1,"start":"x","nodes":{}}`, []string{"!flow.no_start"}},
		"dangling": {`{"schema":1,"start":"a","nodes":{"a":{"type":"play","prompt":"p","next":"b"}}}`, []string{"!flow.next_missing"}},
		"unreachable": {
			`{"schema":1,"start":"a","nodes":{"a":{"type":"hangup"},"b":{"type":"hangup"}}}`,
			[]string{"flow.unreachable"},
		},
		"loop": {
			`{"schema":1,"start":"a","nodes":{"a":{"type":"play","prompt":"p","next":"b"},"b":{"type":"play","prompt":"p","next":"a"}}}`,
			[]string{"!flow.loop", "!flow.loop"},
		},
		"menu": {
			`{"schema":1,"start":"a","nodes":{"a":{"type":"menu","prompt":"p","next":"e","options":{"x":{"next":"e"}}},"e":{"type":"hangup"}}}`,
			[]string{"!flow.menu_digit", "!flow.menu_timeout"},
		},
		"unknown type":   {`{"schema":1,"start":"a","nodes":{"a":{"type":"dance"}}}`, []string{"!flow.type_unknown"}},
		"missing prompt": {`{"schema":1,"start":"a","nodes":{"a":{"type":"play","next":"e"},"e":{"type":"hangup"}}}`, []string{"!flow.prompt_missing"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d, err := Parse([]byte(c.doc))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range Lint(d, Known{}) {
				key := f.Key
				if f.Error {
					key = "!" + key
				}
				got = append(got, key)
			}
			if strings.Join(got, " ") != strings.Join(c.want, " ") {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{"", "{", `{"schema":2}`, `[]`, strings.Repeat(" ", MaxBytes+1)} {
		if _, err := Parse([]byte(in)); err == nil {
			t.Errorf("%.20q accepted", in)
		}
	}
}

func FuzzLint(f *testing.F) {
	f.Add(Default("en", "q"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := Parse(b); err == nil {
			Lint(d, Known{})
		}
	})
}
