package node

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A blob is held when more than half of the voters have it, whoever they are.
func TestHoldings(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		voters := 1 + r.IntN(5)
		hashes := make([]string, r.IntN(6))
		for i := range hashes {
			hashes[i] = fmt.Sprint(i)
		}
		c, have := newHoldings(hashes, voters), map[string]int{}
		for range r.IntN(voters + 1) {
			missing := map[string]bool{}
			for _, h := range hashes {
				if r.IntN(3) == 0 {
					missing[h] = true
				} else {
					have[h]++
				}
			}
			c.add(missing)
		}
		whole := true
		for _, h := range hashes {
			want := have[h] > voters/2
			whole = whole && want
			if got := c.held()[h]; got != want {
				t.Errorf("seed %d: %d of %d voters have it, held: %v", seed, have[h], voters, got)
			}
		}
		if c.whole() != whole {
			t.Errorf("seed %d: whole is %v", seed, c.whole())
		}
	}
}
