package join

import (
	"net/url"
	"strings"
	"testing"
)

func TestTokenThereAndBack(t *testing.T) {
	for range 200 { // often enough for secrets with "_" and "-"
		want := NewToken([]byte("certificate"))
		got, err := Parse(" " + want.String() + "\n")
		if err != nil || got != want {
			t.Fatalf("Parse(%s) = %v, %v", want, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := NewToken([]byte("certificate")).String()
	for name, s := range map[string]string{
		"empty":        "",
		"other prefix": strings.Replace(good, "tlj1", "tlj2", 1),
		"short":        good[:len(good)-1],
		"long":         good + "0",
		"no hex":       good[:len(good)-1] + "g",
		"bad secret":   "tlj1_!" + good[6:],
		"no separator": good[:37] + "-" + good[38:],
	} {
		if _, err := Parse(s); err == nil {
			t.Errorf("%s: Parse(%q) took it", name, s)
		}
	}
}

func TestNodeURI(t *testing.T) {
	u, err := url.Parse(NodeURI("0192", "node-1").String())
	if err != nil {
		t.Fatal(err)
	}
	if site, node, ok := ParseNodeURI(u); !ok || site != "0192" || node != "node-1" {
		t.Errorf("got %q %q %v", site, node, ok)
	}
	for _, bad := range []string{"https://site/a/node/b", "trunkline://site/a/node/", "trunkline://site//node/b", "trunkline://site/a/b", "trunkline://site/a/node/b/c", "trunkline://other/a/node/b"} {
		u, err := url.Parse(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := ParseNodeURI(u); ok {
			t.Errorf("%s was taken", bad)
		}
	}
	if _, _, ok := ParseNodeURI(nil); ok {
		t.Error("nil was taken")
	}
}

func TestValidNodeName(t *testing.T) {
	for name, want := range map[string]bool{"a": true, "node-1": true, "": false, "-a": false, "a-": false, "A": false, "a.b": false, "ä": false, strings.Repeat("a", 63): true, strings.Repeat("a", 64): false} {
		if ValidNodeName(name) != want {
			t.Errorf("ValidNodeName(%q) = %v", name, !want)
		}
	}
}
