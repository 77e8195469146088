package chain

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The layout is spoken by nodes and clouds of different releases: these bytes never change.
func TestHashIsFixed(t *testing.T) {
	first := Hash(nil, 1, 1, "call", 1_700_000_000_000_000, []byte("body"))
	second := Hash(first, 1, 2, "wrap_up", 1_700_000_000_000_001, nil)
	for _, c := range []struct {
		got  []byte
		want string
	}{
		{first, "af2e1dd52c85c6636c9a26586908325bcfc111a6d9bf998a36978bf1ff59d3cb"},
		{second, "f3188bce4594282e2cb52c3f95ebb663f7332f8d4008b99bcd6a15edd159a642"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("hash = %s, want %s", got, c.want)
		}
	}
}

func TestEveryFieldCounts(t *testing.T) {
	prev := bytes.Repeat([]byte{7}, Size)
	base := Hash(prev, 1, 2, "call", 3, []byte("x"))
	others := map[string][]byte{
		"prev":          Hash(bytes.Repeat([]byte{8}, Size), 1, 2, "call", 3, []byte("x")),
		"no prev":       Hash(nil, 1, 2, "call", 3, []byte("x")),
		"epoch":         Hash(prev, 2, 2, "call", 3, []byte("x")),
		"seq":           Hash(prev, 1, 3, "call", 3, []byte("x")),
		"kind":          Hash(prev, 1, 2, "cal", 3, []byte("x")),
		"at":            Hash(prev, 1, 2, "call", 4, []byte("x")),
		"body":          Hash(prev, 1, 2, "call", 3, []byte("y")),
		"kind and body": Hash(prev, 1, 2, "callx", 3, nil),
	}
	for name, h := range others {
		if bytes.Equal(h, base) {
			t.Errorf("%s changed and the hash did not", name)
		}
	}
}

func TestFirstPrevIsZeros(t *testing.T) {
	if !bytes.Equal(Hash(nil, 1, 1, "k", 0, nil), Hash(make([]byte, Size), 1, 1, "k", 0, nil)) {
		t.Error("an empty prev must count as zeros")
	}
	if Hash([]byte{1, 2}, 1, 1, "k", 0, nil) != nil {
		t.Error("a short prev is no link")
	}
}
