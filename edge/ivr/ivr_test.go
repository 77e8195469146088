package ivr

import (
	"fmt"
	"strings"
	"testing"

	"trunkline/internal/flow"
)

func defaultFlow(t testing.TB) *flow.Document {
	t.Helper()
	d, err := flow.Parse(flow.Default("en", "q1"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestPaths walks the default flow by a readable script: inputs, then what was done.
func TestPaths(t *testing.T) {
	cases := map[string]struct{ in, want string }{
		"silent caller":     {"begin spoken spoken silence spoken silence", "say:greeting say:main_menu wait:4000 say:main_menu wait:4000 queue:q1"},
		"presses one":       {"begin spoken spoken 1", "say:greeting say:main_menu wait:4000 queue:q1+Support"},
		"barges in":         {"begin spoken 1", "say:greeting say:main_menu queue:q1+Support"},
		"barges greeting":   {"begin 1", "say:greeting queue:q1+Support"},
		"wrong key":         {"begin spoken 9 1", "say:greeting say:main_menu say:invalid_choice,main_menu queue:q1+Support"},
		"wrong key twice":   {"begin spoken 9 9", "say:greeting say:main_menu say:invalid_choice,main_menu queue:q1"},
		"nobody answers":    {"begin 1 left spoken", "say:greeting queue:q1+Support say:nobody_available end"},
		"digit in queue":    {"begin 1 5", "say:greeting queue:q1+Support nothing"},
		"silence elsewhere": {"begin silence left", "say:greeting nothing nothing"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := defaultFlow(t)
			s := State{Node: d.Start}
			var got []string
			for _, in := range strings.Fields(c.in) {
				var do Do
				s, do = Step(d, s, input(in))
				got = append(got, word(do))
			}
			if g := strings.Join(got, " "); g != c.want {
				t.Errorf("\n got %s\nwant %s", g, c.want)
			}
		})
	}
}

// TestResume: encoded anywhere, a state begins its node again.
func TestResume(t *testing.T) {
	d := defaultFlow(t)
	s, _ := Step(d, State{Node: d.Start}, Input{Kind: Begin})
	s, _ = Step(d, s, Input{Kind: Spoken})
	back, err := Decode(s.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if _, do := Step(d, back, Input{Kind: Begin}); word(do) != "say:main_menu" {
		t.Errorf("resumed with %s", word(do))
	}
	if _, err := Decode([]byte{0xff}); err == nil {
		t.Error("rubbish decoded")
	}
}

// TestAlwaysEnds: whatever is pressed, a finite number of inputs ends or enqueues.
func TestAlwaysEnds(t *testing.T) {
	d := defaultFlow(t)
	for seed := range 1000 {
		s, do := Step(d, State{Node: d.Start}, Input{Kind: Begin})
		x := uint32(seed)*2654435761 + 1
		for steps := 0; do.Kind != End; steps++ {
			if steps > 60 {
				t.Fatalf("seed %d: no end", seed)
			}
			x = x*1664525 + 1013904223
			in := Input{Kind: InputKind(x>>24%5) + 1, Digit: "0123456789*#"[x>>16%12]}
			if in.Kind == Begin {
				in.Kind = Spoken
			}
			s, do = Step(d, s, in)
		}
	}
}

func input(w string) Input {
	switch w {
	case "begin":
		return Input{Kind: Begin}
	case "spoken":
		return Input{Kind: Spoken}
	case "silence":
		return Input{Kind: Silence}
	case "left":
		return Input{Kind: LeftQueue}
	default:
		return Input{Kind: Digit, Digit: w[0]}
	}
}

func word(d Do) string {
	out := map[DoKind]string{Nothing: "nothing", End: "end"}[d.Kind]
	switch d.Kind {
	case Speak:
		out = "say:" + strings.Join(d.Prompts, ",")
	case Wait:
		out = fmt.Sprintf("wait:%d", d.WaitMS)
	case Enqueue:
		out = "queue:" + d.QueueID
	}
	if d.Choice != nil {
		out += "+" + d.Choice.Label
	}
	return out
}
