// Command gen makes what of the included prompts is not speech: the two loops of
// music, the ringing tone and the beep. With -script it prints what is to be spoken, one line a
// prompt: name, language, voice, text, separated by tabs.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"trunkline/internal/audio"
	"trunkline/internal/prompts"
)

func main() {
	music := flag.String("music", "", "write music and beep into this `folder`")
	script := flag.Bool("script", false, "print what is to be spoken")
	flag.Parse()
	if *script {
		for _, s := range prompts.Script() {
			fmt.Printf("%s\t%s\t%s\t%s\n", s.Name, s.Language, s.Voice, s.Spoken)
		}
	}
	if *music != "" {
		write(*music, "music", waiting.render())
		write(*music, "hold_music", holding.render())
		// The ringing tone of ITU-T E.180: 425 Hz, one second in five.
		write(*music, "ringback", append(shaped(audio.Tone(425, -16, audio.Rate)), make([]int16, 4*audio.Rate)...))
		write(*music, "beep", shaped(audio.Tone(880, -12, audio.Rate/4)))
	}
}

func write(folder, name string, pcm []int16) {
	file := filepath.Join(folder, name+".ulaw")
	if err := os.WriteFile(file, audio.AppendULaw(nil, pcm), 0o644); err != nil {
		log.Fatal(err)
	}
}

// shaped fades both ends over 10 ms, so that the tone does not click.
func shaped(pcm []int16) []int16 {
	const fade = audio.Rate / 100
	for i := range fade {
		pcm[i] = int16(int(pcm[i]) * i / fade)
		j := len(pcm) - 1 - i
		pcm[j] = int16(int(pcm[j]) * i / fade)
	}
	return pcm
}
