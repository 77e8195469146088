// Package prompts holds the prompts and the music that come with the program, as
// 8 kHz u-law: enough for a flow to speak before anybody has recorded anything.
//
// The speech is made by eSpeak NG (infra/dev/prompts.sh), the music by
// the program in gen, which was written for it.
package prompts

//go:generate go run ./gen -music sound
//go:generate ../../infra/dev/prompts.sh

import (
	"embed"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed sound
var files embed.FS

// Languages in which all spoken prompts exist.
var Languages = []string{"en", "zh-Hans"}

// Info describes one included prompt. Language is empty for what is not spoken.
type Info struct {
	Name     string
	Language string
	Text     string
	Duration time.Duration
}

// Get returns a prompt as 8 kHz u-law, not to be changed. A language we do not
// have ("fr", but also "zh-TW") is answered in its nearest or in English, so a
// caller always hears something; false only if there is no prompt of that name.
func Get(name, language string) ([]byte, bool) {
	all := load()
	if ulaw, ok := all[key{name, ""}]; ok {
		return ulaw, true
	}
	ulaw, ok := all[key{name, nearest(language)}]
	return ulaw, ok
}

// All lists the included prompts by name, then language.
func All() []Info {
	var infos []Info
	add := func(language string, list []text) {
		for _, t := range list {
			ulaw := load()[key{t.name, language}]
			infos = append(infos, Info{t.name, language, t.text, time.Duration(len(ulaw)) * time.Second / 8000})
		}
	}
	for _, language := range Languages {
		add(language, texts[language])
	}
	add("", sounds)
	slices.SortFunc(infos, func(a, b Info) int {
		return strings.Compare(a.Name+"\x00"+a.Language, b.Name+"\x00"+b.Language)
	})
	return infos
}

// Speech is one line for the speech program.
type Speech struct{ Name, Language, Voice, Spoken string }

// Script lists what the speech program has to say, for infra/dev/prompts.sh.
func Script() []Speech {
	var script []Speech
	for _, language := range Languages {
		for _, t := range texts[language] {
			spoken := t.spoken
			if spoken == "" {
				spoken = t.text
			}
			script = append(script, Speech{t.name, language, voices[language], spoken})
		}
	}
	return script
}

type key struct{ name, language string }

var load = sync.OnceValue(func() map[key][]byte {
	all := make(map[key][]byte)
	read := func(name, language, file string) {
		if ulaw, err := files.ReadFile(file); err == nil {
			all[key{name, language}] = ulaw
		}
	}
	for _, t := range sounds {
		read(t.name, "", "sound/"+t.name+".ulaw")
	}
	for language, list := range texts {
		for _, t := range list {
			read(t.name, language, "sound/"+language+"/"+t.name+".ulaw")
		}
	}
	return all
})

func nearest(language string) string {
	if slices.Contains(Languages, language) {
		return language
	}
	base, _, _ := strings.Cut(strings.ToLower(language), "-")
	if base == "zh" {
		return "zh-Hans"
	}
	return "en"
}
