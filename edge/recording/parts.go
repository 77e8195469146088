package recording

// Part is the newest part of a call's recording that this node knows of.
type Part struct {
	Segment uint32
	Chain   []byte
}

// Previous gives the part a call's next recording continues: another node's, as
// far as it was copied here, or one this node made before it was started again.
func (s *Store) Previous(tenant int64, callID string) (Part, bool) {
	s.mu.Lock()
	best, ok := s.left[callKey{tenant, callID}]
	s.mu.Unlock()
	for _, c := range s.copies.of(tenant, callID) {
		if !ok || c.Segment >= best.Segment {
			best, ok = Part{c.Segment, c.Chain}, true
		}
	}
	return best, ok
}

type callKey struct {
	tenant int64
	call   string
}

// Left tells of recordings an earlier process of this node left, for Previous.
func (s *Store) Left(list []Manifest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range list {
		k := callKey{m.Tenant, m.CallID}
		if was, ok := s.left[k]; !ok || m.Segment >= was.Segment {
			s.left[k] = Part{m.Segment, m.Chain}
		}
	}
}
