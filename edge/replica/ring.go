package replica

import "trunkline/edge/call"

// ringSize is how many commands are remembered by their key.
const ringSize = 65536

// ring remembers what the last commands answered, by key.
type ring struct {
	at      map[string]int // place in slots
	slots   []answer
	next    int    // the slot written next
	written uint64 // since the beginning
}

// answer is what a command answered, without the rows: those are looked up as
// they are when the command comes a second time.
type answer struct {
	Key     string       `cbor:"1,keyasint"`
	Refused string       `cbor:"2,keyasint,omitempty"`
	Index   uint64       `cbor:"3,keyasint"`
	At      int64        `cbor:"4,keyasint"`
	Call    string       `cbor:"5,keyasint,omitempty"`
	Agent   string       `cbor:"6,keyasint,omitempty"`
	Ticket  *call.Ticket `cbor:"7,keyasint,omitempty"`
}

func newRing() *ring { return &ring{at: map[string]int{}} }

func (r *ring) get(key string) (answer, bool) {
	i, ok := r.at[key]
	if !ok {
		return answer{}, false
	}
	return r.slots[i], true
}

func (r *ring) put(a answer) {
	if len(r.slots) < ringSize {
		r.slots = append(r.slots, a)
	} else {
		delete(r.at, r.slots[r.next].Key)
		r.slots[r.next] = a
	}
	r.at[a.Key] = r.next
	r.next = (r.next + 1) % ringSize
	r.written++
}

// inOrder goes through the answers, oldest first. Only slots is copied for a
// snapshot, so this works on such a copy too.
func inOrder(slots []answer, next int, yield func(*answer) error) error {
	start := 0
	if len(slots) == ringSize {
		start = next
	}
	for i := range slots {
		if err := yield(&slots[(start+i)%len(slots)]); err != nil {
			return err
		}
	}
	return nil
}
