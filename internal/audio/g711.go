// Package audio holds what telephone audio needs below any protocol: the G.711
// codecs, WAV files in and out, resampling to 8 kHz, peaks for waveforms, tones
// and the measures that tests judge audio by.
//
// PCM is always signed 16 bit, mono, in []int16. Coded audio is G.711 in
// []byte, one byte a sample.
package audio

import "math/bits"

const (
	// Rate is the sampling rate of all audio inside the program, in Hz.
	Rate = 8000
	// SilenceULaw and SilenceALaw code the sample 0.
	SilenceULaw = 0xFF
	SilenceALaw = 0xD5
)

// Tables of ITU-T G.711 (11/88): decoding by table 1 (A-law, 13 bit) and table 2
// (u-law, 14 bit), both moved up to 16 bit. Encoders are tables over the 14 and
// 13 bit input, so one lookup a sample.
var (
	ulawPCM  [256]int16
	alawPCM  [256]int16
	pcmULaw  [1 << 14]byte
	pcmALaw  [1 << 13]byte
	ulawALaw [256]byte
	alawULaw [256]byte
)

func init() {
	for i := range 256 {
		ulawPCM[i] = expandULaw(byte(i))
		alawPCM[i] = expandALaw(byte(i))
	}
	for i := range pcmULaw {
		pcmULaw[i] = compressULaw(i - 1<<13)
	}
	for i := range pcmALaw {
		pcmALaw[i] = compressALaw(i - 1<<12)
	}
	for i := range 256 {
		ulawALaw[i] = EncodeALaw(ulawPCM[i])
		alawULaw[i] = EncodeULaw(alawPCM[i])
	}
}

// expandULaw gives the value of table 2 for a character signal as sent on the
// line (all bits inverted), as 16 bit PCM.
func expandULaw(b byte) int16 {
	b = ^b
	seg, step := int(b>>4&7), int(b&15)
	v := ((2*step + 33) << seg) - 33
	if b&0x80 != 0 {
		v = -v
	}
	return int16(v << 2)
}

// expandALaw does the same for table 1, whose even bits are inverted.
func expandALaw(b byte) int16 {
	b ^= 0x55
	seg, step := int(b>>4&7), int(b&15)
	v := 2*step + 1
	if seg > 0 {
		v = (2*step + 33) << (seg - 1)
	}
	if b&0x80 == 0 {
		v = -v
	}
	return int16(v << 3)
}

// compressULaw codes a 14 bit value. Adding 33 makes each segment start at a
// power of two; table 2 ends at 8159.
func compressULaw(v int) byte {
	sign := byte(0)
	if v < 0 {
		v, sign = -v, 0x80
	}
	v = min(v, 8158) + 33
	seg := bits.Len(uint(v)) - 6
	return ^(sign | byte(seg<<4) | byte(v>>(seg+1)&15))
}

// compressALaw codes a 13 bit value. Negative values are inverted, not negated:
// the decision value 0 belongs to the positive side, -1 is the first negative.
func compressALaw(v int) byte {
	sign := byte(0x80)
	if v < 0 {
		v, sign = ^v, 0
	}
	seg := max(bits.Len(uint(v))-5, 0)
	step := v >> max(seg, 1) & 15
	return (sign | byte(seg<<4) | byte(step)) ^ 0x55
}

// DecodeULaw gives the PCM value of a u-law byte.
func DecodeULaw(b byte) int16 { return ulawPCM[b] }

// DecodeALaw gives the PCM value of an A-law byte.
func DecodeALaw(b byte) int16 { return alawPCM[b] }

// EncodeULaw codes a PCM value in u-law.
func EncodeULaw(s int16) byte {
	// Towards zero, so that both signs meet the same decision values.
	return pcmULaw[int(s)/4+1<<13]
}

// EncodeALaw codes a PCM value in A-law.
func EncodeALaw(s int16) byte { return pcmALaw[int(s)>>3+1<<12] }

// AppendULaw appends pcm coded in u-law to dst.
func AppendULaw(dst []byte, pcm []int16) []byte {
	for _, s := range pcm {
		dst = append(dst, EncodeULaw(s))
	}
	return dst
}

// AppendALaw appends pcm coded in A-law to dst.
func AppendALaw(dst []byte, pcm []int16) []byte {
	for _, s := range pcm {
		dst = append(dst, EncodeALaw(s))
	}
	return dst
}

// AppendPCM appends the decoded u-law samples to dst.
func AppendPCM(dst []int16, ulaw []byte) []int16 {
	for _, b := range ulaw {
		dst = append(dst, ulawPCM[b])
	}
	return dst
}

// AppendPCMFromALaw appends the decoded A-law samples to dst.
func AppendPCMFromALaw(dst []int16, alaw []byte) []int16 {
	for _, b := range alaw {
		dst = append(dst, alawPCM[b])
	}
	return dst
}

// ULawToALaw recodes src into dst, which may be src itself and must be at least
// as long. It returns the samples written.
func ULawToALaw(dst, src []byte) int {
	dst = dst[:len(src)]
	for i, b := range src {
		dst[i] = ulawALaw[b]
	}
	return len(src)
}

// ALawToULaw is the way back of ULawToALaw.
func ALawToULaw(dst, src []byte) int {
	dst = dst[:len(src)]
	for i, b := range src {
		dst[i] = alawULaw[b]
	}
	return len(src)
}
