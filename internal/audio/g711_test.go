package audio

import "testing"

// segment is a run of equal intervals in the tables of G.711: from is the lowest
// decision value, in units of the table.
type segment struct{ from, intervals, step int }

// Table 2a/G.711, positive values: the decision values up to 8159.
var tableU = []segment{
	{0, 1, 1},
	{1, 15, 2},
	{31, 16, 4},
	{95, 16, 8},
	{223, 16, 16},
	{479, 16, 32},
	{991, 16, 64},
	{2015, 16, 128},
	{4063, 16, 256},
}

// Table 1a/G.711, positive values: the decision values up to 4096.
var tableA = []segment{
	{0, 32, 2},
	{64, 16, 4},
	{128, 16, 8},
	{256, 16, 16},
	{512, 16, 32},
	{1024, 16, 64},
	{2048, 16, 128},
}

// walk calls f for each of the 128 positive intervals [from, to) with its number.
func walk(table []segment, f func(n, from, to int)) int {
	n := 0
	for _, s := range table {
		for i := range s.intervals {
			f(n, s.from+i*s.step, s.from+(i+1)*s.step)
			n++
		}
	}
	return n
}

func TestULawIsTheTableOfTheStandard(t *testing.T) {
	total := walk(tableU, func(n, from, to int) {
		// Character signal of the positive value n: 1111 1111 for 0 down to 1000 0000.
		code := byte(0xFF - n)
		value := from + to // twice the middle of the interval
		if n == 0 {
			value = 0
		}
		if got := int(DecodeULaw(code)); got != value*2 {
			t.Errorf("decode %#x: %d, want %d", code, got, value*2)
		}
		if got := int(DecodeULaw(code &^ 0x80)); got != -value*2 {
			t.Errorf("decode %#x: %d, want %d", code&^0x80, got, -value*2)
		}
		for v := from; v < to; v++ {
			if got := EncodeULaw(int16(v * 4)); got != code {
				t.Fatalf("encode %d: %#x, want %#x", v, got, code)
			}
			if v > 0 && EncodeULaw(int16(-v*4)) != code&^0x80 {
				t.Fatalf("encode %d: %#x, want %#x", -v, EncodeULaw(int16(-v*4)), code&^0x80)
			}
		}
	})
	if total != 128 {
		t.Fatalf("%d intervals", total)
	}
	if EncodeULaw(32767) != 0x80 || EncodeULaw(-32768) != 0x00 || EncodeULaw(0) != SilenceULaw {
		t.Error("ends of the range")
	}
}

func TestALawIsTheTableOfTheStandard(t *testing.T) {
	total := walk(tableA, func(n, from, to int) {
		code := (0x80 | byte(n)) ^ 0x55
		value := from + to
		if got := int(DecodeALaw(code)); got != value*4 {
			t.Errorf("decode %#x: %d, want %d", code, got, value*4)
		}
		if got := int(DecodeALaw(code ^ 0x80)); got != -value*4 {
			t.Errorf("decode %#x: %d, want %d", code^0x80, got, -value*4)
		}
		for v := from; v < to; v++ {
			if got := EncodeALaw(int16(v * 8)); got != code {
				t.Fatalf("encode %d: %#x, want %#x", v, got, code)
			}
			if got := EncodeALaw(int16(-v*8 - 1)); got != code^0x80 {
				t.Fatalf("encode %d: %#x, want %#x", -v-1, got, code^0x80)
			}
		}
	})
	if total != 128 {
		t.Fatalf("%d intervals", total)
	}
	if EncodeALaw(0) != SilenceALaw || EncodeALaw(32767) != 0xAA || EncodeALaw(-32768) != 0x2A {
		t.Error("ends of the range")
	}
}

func TestCodesSurviveTheirOwnRoundTrip(t *testing.T) {
	for i := range 256 {
		b := byte(i)
		// 0x7F is minus zero, which codes as plus zero.
		if got := EncodeULaw(DecodeULaw(b)); got != b && b != 0x7F {
			t.Errorf("u-law %#x came back as %#x", b, got)
		}
		if got := EncodeALaw(DecodeALaw(b)); got != b {
			t.Errorf("A-law %#x came back as %#x", b, got)
		}
	}
}

// A call may be recoded at every hop; after the first hop nothing more may change.
func TestRecodingDoesNotAddUp(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	step := func(v int) int { return max(v/16, 16) } // a little more than half an interval
	a, back, again := make([]byte, 256), make([]byte, 256), make([]byte, 256)
	ULawToALaw(a, all)
	ALawToULaw(back, a)
	ULawToALaw(again, back)
	for i := range all {
		from, to := int(DecodeULaw(all[i])), int(DecodeALaw(a[i]))
		if d := from - to; d > step(max(from, -from)) || -d > step(max(from, -from)) {
			t.Errorf("u-law %d became A-law %d", from, to)
		}
		if a[i] != again[i] {
			t.Errorf("u-law %#x: A-law %#x became %#x at the second hop", all[i], a[i], again[i])
		}
	}
}
