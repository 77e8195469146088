package replica

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// stableStore keeps Raft's term and vote. Raft writes a vote as two keys, one
// after the other; a crash between them would leave a vote of the new term for
// the old candidate. So the first is held back and both are written in one
// transaction with the second.
type stableStore struct {
	db    *bbolt.DB
	timer func() (done func()) // told of each write, to notice a hung disk

	mu   sync.Mutex
	held []byte // the vote's term, not yet written
}

var (
	stableBucket = []byte("raft")
	keyVoteTerm  = "LastVoteTerm"
	keyVoteFor   = "LastVoteCand"
)

func openStable(path string, timer func() func()) (*stableStore, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 5 * time.Second, NoFreelistSync: true})
	if err != nil {
		return nil, fmt.Errorf("replica: open votes: %w", err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(stableBucket)
		return err
	})
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("replica: prepare votes: %w", err)
	}
	return &stableStore{db: db, timer: timer}, nil
}

func (s *stableStore) close() error { return s.db.Close() }

// Set implements raft.StableStore.
func (s *stableStore) Set(key, val []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.timer()()
	return s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(stableBucket)
		if string(key) == keyVoteFor && s.held != nil {
			if err := b.Put([]byte(keyVoteTerm), s.held); err != nil {
				return err
			}
			s.held = nil // even if the commit fails: Raft then does not vote
		}
		return b.Put(key, val)
	})
}

// Get implements raft.StableStore; a missing key is empty.
func (s *stableStore) Get(key []byte) ([]byte, error) {
	var val []byte
	err := s.db.View(func(tx *bbolt.Tx) error {
		val = append(val, tx.Bucket(stableBucket).Get(key)...)
		return nil
	})
	return val, err
}

// SetUint64 implements raft.StableStore.
func (s *stableStore) SetUint64(key []byte, val uint64) error {
	b := binary.BigEndian.AppendUint64(nil, val)
	if string(key) == keyVoteTerm {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held = b
		return nil
	}
	return s.Set(key, b)
}

// GetUint64 implements raft.StableStore; a missing key is 0.
func (s *stableStore) GetUint64(key []byte) (uint64, error) {
	b, err := s.Get(key)
	if err != nil || len(b) == 0 {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("replica: %s is %d bytes long", key, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}
