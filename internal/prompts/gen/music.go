package main

import (
	"math"

	"trunkline/internal/audio"
)

// piece is a loop: a chord for each bar, played as a soft arpeggio over a pad.
// Notes are MIDI numbers (69 is A at 440 Hz).
type piece struct {
	beat   float64 // seconds
	bars   [][]int // lowest note first
	steps  []int   // which note of the chord each half beat plays, -1 for none
	melody []int   // one note a beat over all bars, 0 for none
}

// waiting is in F: calm, a little forward. 12 bars of 4 beats, 30.72 s.
var waiting = piece{
	beat: 0.64,
	bars: [][]int{
		{41, 60, 65, 69, 72},
		{38, 57, 62, 65, 69},
		{46, 58, 62, 65, 70},
		{36, 60, 64, 67, 70},
		{41, 60, 65, 69, 72},
		{45, 57, 60, 64, 67},
		{46, 58, 62, 65, 69},
		{36, 58, 60, 64, 67},
		{38, 57, 62, 65, 69},
		{43, 58, 62, 65, 67},
		{46, 58, 62, 65, 70},
		{36, 58, 64, 67, 72},
	},
	steps: []int{1, 2, 3, 4, 3, 2, 3, 2},
	melody: []int{
		0, 0, 77, 0, 0, 76, 74, 0, 0, 0, 74, 77, 76, 0, 0, 0,
		0, 0, 77, 0, 0, 79, 76, 0, 0, 0, 74, 72, 0, 70, 72, 0,
		0, 0, 74, 0, 77, 0, 74, 0, 0, 0, 70, 74, 72, 0, 0, 0,
	},
}

// holding is in D, slower and thinner: somebody is listening for a voice to come
// back. 8 bars of 4 beats, 28.16 s.
var holding = piece{
	beat: 0.88,
	bars: [][]int{
		{38, 57, 62, 66, 69},
		{47, 59, 62, 66, 71},
		{43, 59, 62, 67, 71},
		{45, 57, 61, 64, 69},
		{42, 57, 61, 66, 69},
		{47, 59, 62, 66, 69},
		{43, 59, 62, 66, 67},
		{45, 57, 61, 64, 67},
	},
	steps: []int{1, -1, 3, -1, 4, -1, 2, -1},
	melody: []int{
		0, 0, 0, 78, 0, 0, 74, 0, 0, 0, 0, 74, 0, 73, 0, 0,
		0, 0, 0, 73, 0, 0, 74, 0, 0, 0, 0, 71, 0, 0, 69, 0,
	},
}

// render plays the piece once. Notes that ring past the end go on at the start,
// so the loop has no seam.
func (p piece) render() []int16 {
	samples := int(p.beat * 4 * float64(len(p.bars)) * audio.Rate)
	mix := make([]float64, samples)
	for bar, chord := range p.bars {
		start := float64(bar) * 4 * p.beat
		for _, note := range chord {
			pad(mix, start, 4*p.beat, pitch(note))
		}
		pluck(mix, start, pitch(chord[0]), 0.5, 1.6)
		for i, step := range p.steps {
			if step >= 0 {
				pluck(mix, start+float64(i)*p.beat/2, pitch(chord[step]), 0.34, 0.9)
			}
		}
	}
	for i, note := range p.melody {
		if note != 0 {
			pluck(mix, float64(i)*p.beat, pitch(note), 0.42, 1.4)
		}
	}
	return levelled(mix)
}

func pitch(note int) float64 { return 440 * math.Pow(2, float64(note-69)/12) }

// pluck adds a struck note: three partials, of which the higher fade sooner.
func pluck(mix []float64, at, hz, loud, ring float64) {
	first := int(at * audio.Rate)
	for i := range int(ring * 3 * audio.Rate) {
		t := float64(i) / audio.Rate
		attack := min(t/0.008, 1)
		v := math.Sin(2*math.Pi*hz*t) * math.Exp(-t/ring*2)
		v += 0.35 * math.Sin(4*math.Pi*hz*t) * math.Exp(-t/ring*4)
		v += 0.12 * math.Sin(6*math.Pi*hz*t) * math.Exp(-t/ring*7)
		mix[(first+i)%len(mix)] += loud * attack * v
	}
}

// pad adds a held note that swells and fades, slightly out of tune with itself.
func pad(mix []float64, at, length, hz float64) {
	if hz < 100 {
		return // a telephone does not carry it
	}
	first, n := int(at*audio.Rate), int((length+0.8)*audio.Rate)
	for i := range n {
		t := float64(i) / audio.Rate
		swell := min(t/0.9, 1) * min((length+0.8-t)/0.9, 1)
		v := math.Sin(2*math.Pi*hz*t) + math.Sin(2*math.Pi*hz*1.003*t)
		mix[(first+i)%len(mix)] += 0.05 * swell * v
	}
}

// levelled brings the loudest sample to -6 dB: music sits below speech.
func levelled(mix []float64) []int16 {
	top := 0.0
	for _, v := range mix {
		top = max(top, math.Abs(v))
	}
	pcm := make([]int16, len(mix))
	for i, v := range mix {
		pcm[i] = int16(v / top * 32767 * 0.5)
	}
	return pcm
}
