package uplink

import (
	"container/list"
	"sync"
)

// promptCache holds the prompts used last, so that a call does not wait for the
// disk.
type promptCache struct {
	mu    sync.Mutex
	size  int
	order list.List // of *cached, used last in front
	byKey map[string]*list.Element
}

type cached struct {
	hash string
	data []byte
}

// maxCached bounds the cache: over two hours of audio.
const maxCached = 64 << 20

func (c *promptCache) get(hash string, load func(string) ([]byte, bool)) ([]byte, bool) {
	c.mu.Lock()
	if e := c.byKey[hash]; e != nil {
		c.order.MoveToFront(e)
		data := e.Value.(*cached).data
		c.mu.Unlock()
		return data, true
	}
	c.mu.Unlock()
	data, ok := load(hash)
	if !ok || len(data) > maxCached {
		return data, ok
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil {
		c.byKey = map[string]*list.Element{}
	}
	if c.byKey[hash] != nil {
		return data, true
	}
	c.byKey[hash] = c.order.PushFront(&cached{hash, data})
	c.size += len(data)
	for c.size > maxCached {
		oldest := c.order.Back()
		old := c.order.Remove(oldest).(*cached)
		delete(c.byKey, old.hash)
		c.size -= len(old.data)
	}
	return data, true
}
