package audio

import "math"

// The resampler: a sinc cut off below half the lower of the two rates, under a
// Kaiser window. 24 zero crossings on each side and beta 9 give about 90 dB of
// stop band, more than G.711 can show.
const (
	crossings  = 24
	perCross   = 256 // points of the kernel between two zero crossings
	kaiserBeta = 9
	// passband leaves room for the slope of the filter below half the rate.
	passband = 0.93
)

// kernel is one side of the windowed sinc.
var kernel = makeKernel()

func makeKernel() []float64 {
	k := make([]float64, crossings*perCross+2)
	for i := range k {
		x := float64(i) / perCross
		if x >= crossings {
			break
		}
		w := bessel(kaiserBeta*math.Sqrt(1-x*x/(crossings*crossings))) / bessel(kaiserBeta)
		if i == 0 {
			k[i] = w
			continue
		}
		k[i] = w * math.Sin(math.Pi*x) / (math.Pi * x)
	}
	return k
}

// bessel is the modified Bessel function of the first kind, order 0.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for n := 1.0; term > sum*1e-12; n++ {
		term *= (x / 2 / n) * (x / 2 / n)
		sum += term
	}
	return sum
}

// Resample converts pcm from a rate in Hz to 8 kHz. The result is len*8000/rate
// samples long, rounded up; time zero stays where it is.
func Resample(pcm []int16, rate int) []int16 {
	if rate == Rate || len(pcm) == 0 {
		return pcm
	}
	out := make([]int16, (len(pcm)*Rate+rate-1)/rate)
	// cut is the cut-off as a part of half the input rate.
	cut := passband * min(1, float64(Rate)/float64(rate))
	reach := crossings / cut
	for i := range out {
		at := float64(i) * float64(rate) / Rate
		from, to := max(int(math.Ceil(at-reach)), 0), min(int(at+reach), len(pcm)-1)
		sum := 0.0
		for j := from; j <= to; j++ {
			x := math.Abs(at-float64(j)) * cut * perCross
			n := int(x)
			sum += float64(pcm[j]) * (kernel[n] + (x-float64(n))*(kernel[n+1]-kernel[n]))
		}
		out[i] = int16(math.Round(min(max(sum*cut, -32768), 32767)))
	}
	return out
}
