package audio

import "math"

// Tone makes samples of a sine. level is in dB relative to full scale (0 is the
// loudest sine, -20 is speech-like).
func Tone(hz, level float64, samples int) []int16 {
	pcm := make([]int16, samples)
	amp := 32767 * math.Pow(10, level/20)
	for i := range pcm {
		pcm[i] = int16(math.Round(amp * math.Sin(2*math.Pi*hz*float64(i)/Rate)))
	}
	return pcm
}

// Keys are the keys of a telephone in the order of their RFC 4733 event codes.
const Keys = "0123456789*#ABCD"

// Rows and columns of ITU-T Q.23; keypad is read row by row.
var (
	keyRows    = [4]float64{697, 770, 852, 941}
	keyColumns = [4]float64{1209, 1336, 1477, 1633}
)

const keypad = "123A456B789C*0#D"

// KeyTone makes samples of the two tones of a telephone key (ITU-T Q.23), the
// way a leg without telephone-events sends a digit. It gives silence for what is
// no key.
func KeyTone(key byte, samples int) []int16 {
	for i := range len(keypad) {
		if keypad[i] != key {
			continue
		}
		low, high := Tone(keyRows[i/4], -10, samples), Tone(keyColumns[i%4], -8, samples)
		for j := range low {
			low[j] += high[j]
		}
		return low
	}
	return make([]int16, samples)
}

// floorLevel is the level of what is not there at all.
const floorLevel = -120

// Level is the power of pcm in dB relative to a full scale sine, -120 for silence.
func Level(pcm []int16) float64 {
	if len(pcm) == 0 {
		return floorLevel
	}
	sum := 0.0
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return decibel(math.Sqrt(2 * sum / float64(len(pcm))))
}

// ToneLevel is the level of one frequency in pcm, found by Goertzel's algorithm,
// on the scale of Level: for a pure tone both are equal. Frequencies nearer than
// 8000/len(pcm) Hz are not told apart.
func ToneLevel(pcm []int16, hz float64) float64 {
	if len(pcm) == 0 {
		return floorLevel
	}
	c := 2 * math.Cos(2*math.Pi*hz/Rate)
	var s1, s2 float64
	for _, x := range pcm {
		s1, s2 = float64(x)+c*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - c*s1*s2
	return decibel(2 * math.Sqrt(max(power, 0)) / float64(len(pcm)))
}

func decibel(amplitude float64) float64 {
	if amplitude <= 0 {
		return floorLevel
	}
	return max(20*math.Log10(amplitude/32767), floorLevel)
}

// Peaks gives the highest amplitude of each window of samples, 0 to 255 of full
// scale, for drawing a waveform. The last window may be shorter.
func Peaks(ulaw []byte, window int) []byte {
	if window <= 0 {
		return nil
	}
	peaks := make([]byte, 0, (len(ulaw)+window-1)/window)
	for len(ulaw) > 0 {
		n := min(window, len(ulaw))
		top := 0
		for _, b := range ulaw[:n] {
			v := int(ulawPCM[b])
			top = max(top, v, -v)
		}
		peaks = append(peaks, byte(top>>7))
		ulaw = ulaw[n:]
	}
	return peaks
}
