package prompts

import (
	"math"
	"testing"
	"time"

	"trunkline/internal/audio"
)

func TestEveryPromptIsThereAndHeard(t *testing.T) {
	total := 0
	for _, info := range All() {
		ulaw, ok := Get(info.Name, info.Language)
		if !ok {
			t.Errorf("%s (%s) is missing: run go generate", info.Name, info.Language)
			continue
		}
		total += len(ulaw)
		if info.Text == "" {
			t.Errorf("%s (%s) has no text", info.Name, info.Language)
		}
		if info.Duration < 200*time.Millisecond || info.Duration > 40*time.Second {
			t.Errorf("%s (%s) lasts %s", info.Name, info.Language, info.Duration)
		}
		if level := audio.Level(audio.AppendPCM(nil, ulaw)); level < -26 || level > -6 {
			t.Errorf("%s (%s) is at %.0f dB", info.Name, info.Language, level)
		}
	}
	if total > 2_500_000 {
		t.Errorf("%d bytes are embedded", total)
	}
}

func TestLanguagesHaveTheSameNames(t *testing.T) {
	for _, p := range texts["en"] {
		a, _ := Get(p.name, "en")
		b, ok := Get(p.name, "zh-Hans")
		if !ok || &a[0] == &b[0] {
			t.Errorf("%s has no zh-Hans of its own", p.name)
		}
	}
	if len(texts["en"]) != len(texts["zh-Hans"]) {
		t.Error("zh-Hans has more prompts than en")
	}
}

func TestNearestLanguage(t *testing.T) {
	for asked, want := range map[string]string{"en": "en", "en-GB": "en", "zh": "zh-Hans", "zh-CN": "zh-Hans", "fr": "en", "": "en"} {
		if got := nearest(asked); got != want {
			t.Errorf("%q is answered in %s", asked, got)
		}
	}
	if _, ok := Get("no_such", "en"); ok {
		t.Error("a prompt nobody made")
	}
}

// The end of the music goes over into its start without a jump.
func TestMusicLoops(t *testing.T) {
	for _, name := range []string{"music", "hold_music"} {
		ulaw, _ := Get(name, "en")
		if len(ulaw) < 25*audio.Rate || len(ulaw) > 35*audio.Rate {
			t.Errorf("%s has %d samples", name, len(ulaw))
		}
		jump := math.Abs(float64(audio.DecodeULaw(ulaw[0])) - float64(audio.DecodeULaw(ulaw[len(ulaw)-1])))
		if jump > 3000 {
			t.Errorf("%s jumps by %.0f at its seam", name, jump)
		}
	}
}
