package dialling

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
)

const berlin, shanghai, newYork = "+493012345678", "+862112345678", "+12125550100"

func TestParse(t *testing.T) {
	for _, x := range []struct{ typed, home, want string }{
		{"+49 30 555 01 00", "", "+49305550100"},
		{"0049 (30) 555-0100", berlin, "+49305550100"},
		{"030 / 555 0100", berlin, "+49305550100"},
		{"+49 (0)30 5550100", newYork, "+49305550100"},
		{"011 49 30 5550100", newYork, "+49305550100"},
		{"(212) 555-0100", newYork, "+12125550100"},
		{"138 0013 8000", shanghai, "+8613800138000"},
		{"+8613800138000", berlin, "+8613800138000"},
		{"112", berlin, "112"},
		{" 110 ", berlin, "110"},
		{"110", shanghai, "110"},
		{"911", newYork, "911"},
		{"112", "", "112"},
		{"030 5550100", "", ""}, // of which country?
		{"110", "", ""},
		{"", berlin, ""},
		{"12", berlin, ""},
		{"ann", berlin, ""},
		{"+49 30 ann", berlin, ""},
		{"1-800-FLOWERS", newYork, ""},
		{"+999 123456", berlin, ""},
		{"+49", berlin, ""},
		{"+4930555010055501005550", berlin, ""},
		{"**21*0305550100#", berlin, ""},
		{"+49305550100;ext=5", berlin, ""},
		{"sip:ann@x.example", berlin, ""},
		{"+112", berlin, ""}, // no emergency number, and none of another country
	} {
		n, err := Parse(x.typed, x.home)
		if n.Dialled != x.want || (err == nil) != (x.want != "") {
			t.Errorf("%q at %s: %+v, %v; want %q", x.typed, x.home, n, err, x.want)
		}
		if n.Emergency != (len(n.Dialled) == 3) {
			t.Errorf("%q: %+v", x.typed, n)
		}
	}
}

func TestRefuse(t *testing.T) {
	for _, x := range []struct {
		typed, home string
		prefixes    []string
		want        string
	}{
		{"+49305550100", berlin, []string{"+49"}, ""},
		{"+49305550100", berlin, []string{"+43", "+4930"}, ""},
		{"+49305550100", berlin, []string{"+4940"}, Closed},
		{"+43150000", berlin, []string{"+49"}, Closed},
		{"+49305550100", berlin, nil, Closed},
		{"+49305550100", berlin, []string{""}, Closed},
		{"0900 1234567", berlin, []string{"+49"}, Premium},
		{"0900 1234567", berlin, []string{"+49", "+49900"}, ""},
		{"0900 1234567", berlin, []string{"+4"}, Premium},
		{"(212) 555-0100", newYork, []string{"+1"}, ""},
		{"+1 416 555 0100", newYork, []string{"+1"}, ""},
		{"+1 876 955 0100", newYork, []string{"+1"}, Closed}, // Jamaica
		{"+1 876 955 0100", newYork, []string{"+1", "+1876"}, ""},
		{"+881 6 31 555 010", berlin, []string{"+49", "+88"}, ""}, // as it is written
		{"112", berlin, nil, ""},
	} {
		n, err := Parse(x.typed, x.home)
		if err != nil {
			t.Errorf("%q: %v", x.typed, err)
			continue
		}
		if got := (Policy{Enabled: true, Prefixes: x.prefixes}).Refuse(n); got != x.want {
			t.Errorf("%q with %q: %q, want %q", x.typed, x.prefixes, got, x.want)
		}
		want := Off
		if n.Emergency {
			want = ""
		}
		if got := (Policy{Prefixes: x.prefixes}).Refuse(n); got != want {
			t.Errorf("%q switched off: %q", x.typed, got)
		}
	}
}

func TestPrefix(t *testing.T) {
	for typed, want := range map[string]string{
		"+49": "+49", " +49 30 ": "+4930", "0049": "+49", "+1 (876)": "+1876", "49": "", "+": "", "": "", "+0": "", "+49a": "", "030": "", "+1234567890123456": "",
	} {
		if got, err := Prefix(typed); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
}

// One more beginning never closes a number, and what was read is read as the same
// again, wherever.
func TestMoreIsMore(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(n int) string {
		s := "+"
		for range n {
			s += string(rune('0' + rng.IntN(10)))
		}
		return s
	}
	read, allowed := 0, 0
	for range 20_000 {
		n, err := Parse(random(8+rng.IntN(7)), berlin)
		if err != nil {
			continue
		}
		read++
		again, err := Parse(n.Dialled, newYork)
		if err != nil || again != n {
			t.Fatalf("%+v, again %+v, %v", n, again, err)
		}
		var list []string
		for range rng.IntN(3) {
			list = append(list, n.Dialled[:2+rng.IntN(4)])
		}
		before := Policy{Enabled: true, Prefixes: list}.Refuse(n) == ""
		list = append(list, random(1+rng.IntN(4)))
		if after := (Policy{Enabled: true, Prefixes: list}).Refuse(n) == ""; before && !after {
			t.Fatalf("%+v is closed by one of %q", n, list)
		}
		if before {
			allowed++
		}
	}
	if read < 1000 || allowed < 100 {
		t.Errorf("%d numbers read, %d allowed: too tame", read, allowed)
	}
}

var dialled = regexp.MustCompile(`^(\+[1-9][0-9]{1,14}|[0-9]{2,8})$`)

func FuzzParse(f *testing.F) {
	for _, s := range []string{"+49 30 555", "112", "(212) 555-0100", "00 49", "+1", "0\u00a030 1", "+٤٩"} {
		f.Add(s, berlin)
		f.Add(s, newYork)
	}
	f.Fuzz(func(t *testing.T, typed, home string) {
		n, err := Parse(typed, home)
		if err == nil && (!dialled.MatchString(n.Dialled) || n.Emergency != (n.Dialled[0] != '+')) {
			t.Errorf("%q at %q is dialled as %q", typed, home, n.Dialled)
		}
		if p, err := Prefix(typed); err == nil && !slices.Contains([]string{p}, "+"+digits(p)) {
			t.Errorf("%q becomes %q", typed, p)
		}
	})
}
