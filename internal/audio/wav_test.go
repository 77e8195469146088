package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"
)

// file makes a WAV file with a sine of 1 kHz at -12 dB on the first channel.
func file(coding, channels, bits, rate, samples int) []byte {
	var data []byte
	for i := range samples {
		v := int16(32767 * math.Pow(10, -12.0/20) * math.Sin(2*math.Pi*1000*float64(i)/float64(rate)))
		for range channels {
			switch {
			case coding == formatULaw:
				data = append(data, EncodeULaw(v))
			case coding == formatALaw:
				data = append(data, EncodeALaw(v))
			case bits == 8:
				data = append(data, byte(int(v)>>8+128))
			default:
				data = binary.LittleEndian.AppendUint16(data, uint16(v))
			}
		}
	}
	return wrap(coding, channels, bits, rate, data)
}

func wrap(coding, channels, bits, rate int, data []byte) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WAVELIST\x03\x00\x00\x00abc\x00fmt ")
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, uint16(coding))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(bits))
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

func TestReadWAV(t *testing.T) {
	for _, c := range []struct{ coding, channels, bits, rate int }{
		{formatPCM, 1, 16, 8000},
		{formatPCM, 2, 16, 44100},
		{formatPCM, 1, 16, 48000},
		{formatPCM, 1, 8, 11025},
		{formatPCM, 2, 8, 22050},
		{formatULaw, 1, 8, 8000},
		{formatALaw, 2, 8, 16000},
	} {
		pcm, err := ReadWAV(bytes.NewReader(file(c.coding, c.channels, c.bits, c.rate, c.rate)), time.Minute)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if len(pcm) != Rate {
			t.Errorf("%+v: %d samples, want a second", c, len(pcm))
		}
		middle := pcm[1000:7000]
		if level := ToneLevel(middle, 1000); math.Abs(level+12) > 0.3 {
			t.Errorf("%+v: tone at %.1f dB, want -12", c, level)
		}
		if all := Level(middle); math.Abs(all+12) > 0.5 {
			t.Errorf("%+v: all at %.1f dB, want -12: something was added", c, all)
		}
	}
}

func TestReadWAVRefuses(t *testing.T) {
	good := file(formatPCM, 1, 16, 8000, 80)
	for name, c := range map[string]struct {
		file []byte
		want Problem
	}{
		"nothing":      {nil, NotWAV},
		"other":        {[]byte("this is a letter, not audio"), NotWAV},
		"header alone": {good[:12], NotWAV},
		"data first":   {append([]byte("RIFF\x00\x00\x00\x00WAVE"), "data\x04\x00\x00\x00abcd"...), NotWAV},
		"float":        {wrap(3, 1, 32, 8000, make([]byte, 64)), Unsupported},
		"quad":         {wrap(formatPCM, 4, 16, 8000, make([]byte, 64)), Unsupported},
		"96 kHz":       {wrap(formatPCM, 1, 16, 96000, make([]byte, 64)), Unsupported},
		"0 Hz":         {wrap(formatPCM, 1, 16, 0, make([]byte, 64)), Unsupported},
		"no samples":   {wrap(formatPCM, 1, 16, 8000, nil), Empty},
		"long":         {file(formatPCM, 1, 16, 8000, 8001), TooLong},
	} {
		_, err := ReadWAV(bytes.NewReader(c.file), time.Second)
		var refused *WAVError
		if !errors.As(err, &refused) || refused.Problem != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestReadWAVTakesWhatIsThere(t *testing.T) {
	cut := file(formatPCM, 1, 16, 8000, 800)
	pcm, err := ReadWAV(bytes.NewReader(cut[:len(cut)-801]), time.Second)
	if err != nil || len(pcm) != 399 {
		t.Errorf("cut file: %d samples, %v", len(pcm), err)
	}
	streamed := bytes.Clone(cut)
	binary.LittleEndian.PutUint32(streamed[bytes.Index(streamed, []byte("data"))+4:], math.MaxUint32)
	pcm, err = ReadWAV(bytes.NewReader(streamed), time.Second)
	if err != nil || len(pcm) != 800 {
		t.Errorf("streamed file: %d samples, %v", len(pcm), err)
	}
}

func TestWriteWAV(t *testing.T) {
	left, right := Tone(400, -10, 5000), Tone(900, -20, 4000)
	var b bytes.Buffer
	if err := WriteWAV(&b, left, right); err != nil {
		t.Fatal(err)
	}
	if b.Len() != 44+5000*4 {
		t.Fatalf("%d bytes", b.Len())
	}
	if !bytes.Equal(b.Bytes()[:44], WAVHeader(2, 5000)) {
		t.Error("header differs")
	}
	pcm, err := ReadWAV(&b, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := ToneLevel(pcm[:4000], 400), ToneLevel(pcm[:4000], 900); math.Abs(a+16) > 0.2 || math.Abs(b+26) > 0.2 {
		t.Errorf("mean of the channels has %.1f and %.1f dB, want -16 and -26", a, b)
	}
}

func TestResampleKeepsWhatFitsAndRemovesTheRest(t *testing.T) {
	for _, rate := range []int{11025, 16000, 24000, 32000, 44100, 48000} {
		in := func(hz float64) []int16 {
			pcm := make([]int16, rate)
			for i := range pcm {
				pcm[i] = int16(16000 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
			}
			return pcm
		}
		for _, hz := range []float64{300, 1000, 3000, 3400} {
			out := Resample(in(hz), rate)[500:7500]
			if got := ToneLevel(out, hz); math.Abs(got+6.2) > 0.3 {
				t.Errorf("%d Hz: tone of %.0f Hz at %.1f dB, want -6.2", rate, hz, got)
			}
		}
		if out := Resample(in(5000), rate)[500:7500]; Level(out) > -60 {
			t.Errorf("%d Hz: a tone above the band leaves %.1f dB", rate, Level(out))
		}
	}
}

func TestToneMeasures(t *testing.T) {
	pcm := Tone(1000, -20, 8000)
	if got := ToneLevel(pcm, 1000); math.Abs(got+20) > 0.1 {
		t.Errorf("tone %.2f", got)
	}
	if got := ToneLevel(pcm, 1500); got > -60 {
		t.Errorf("another tone %.2f", got)
	}
	if got := Level(make([]int16, 100)); got != -120 {
		t.Errorf("silence %.2f", got)
	}
	key := KeyTone('5', 800)
	if a, b := ToneLevel(key, 770), ToneLevel(key, 1336); math.Abs(a+10) > 0.5 || math.Abs(b+8) > 0.5 {
		t.Errorf("key 5: %.1f and %.1f dB", a, b)
	}
}

func TestPeaks(t *testing.T) {
	ulaw := AppendULaw(nil, append(make([]int16, 160), Tone(1000, 0, 240)...))
	got := Peaks(ulaw, 160)
	if len(got) != 3 || got[0] != 0 || got[1] < 245 || got[2] < 245 {
		t.Errorf("peaks %v", got)
	}
	if Peaks(ulaw, 0) != nil {
		t.Error("window 0")
	}
}

func FuzzReadWAV(f *testing.F) {
	f.Add(file(formatPCM, 1, 16, 8000, 80))
	f.Add(file(formatPCM, 2, 8, 44100, 80))
	f.Add(file(formatALaw, 1, 8, 8000, 80))
	f.Fuzz(func(t *testing.T, b []byte) {
		pcm, err := ReadWAV(bytes.NewReader(b), time.Second)
		if err == nil && (len(pcm) == 0 || len(pcm) > Rate) {
			t.Errorf("%d samples", len(pcm))
		}
	})
}
