package mediatest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/pion/rtp"

	"trunkline/edge/media"
)

// Conformance is what every media.Port must pass. open gives a connected port and the
// other end of its line, which need not be of the same kind.
func Conformance(t *testing.T, open func(t *testing.T) (port, far media.Port)) {
	t.Run("carries both ways", func(t *testing.T) {
		port, far := open(t)
		defer port.Close()
		defer far.Close()
		carries(t, far, port)
		carries(t, port, far)
	})
	t.Run("close ends reading", func(t *testing.T) {
		port, far := open(t)
		defer far.Close()
		ended := make(chan error, 1)
		go func() {
			buf := make([]byte, 1500)
			for {
				if _, err := port.ReadRTP(buf); err != nil {
					ended <- err
					return
				}
			}
		}()
		if err := port.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		select {
		case err := <-ended:
			if !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
				t.Errorf("reading ended with %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("still reading after close")
		}
		if err := port.WriteRTP(packet(1)); err == nil {
			t.Error("wrote after close")
		}
		_ = port.Close() // a second time does no harm
	})
}

// carries sends numbered packets until 100 of them came over in order and
// unchanged. The first may be lost while a port learns its far end.
func carries(t *testing.T, from, to media.Port) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for n := uint16(1); ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = from.WriteRTP(packet(n))
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	buf := make([]byte, 1500)
	last := uint16(0)
	for range 100 {
		n, err := to.ReadRTP(buf)
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		var got, want rtp.Packet
		if err := got.Unmarshal(buf[:n]); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if got.SequenceNumber <= last {
			t.Errorf("packet %d after %d", got.SequenceNumber, last)
		}
		last = got.SequenceNumber
		if err := want.Unmarshal(packet(last)); err != nil {
			t.Fatal(err)
		}
		if got.Timestamp != want.Timestamp || got.Marker != want.Marker || got.PayloadType != want.PayloadType || !bytes.Equal(got.Payload, want.Payload) {
			t.Fatalf("packet %d came as %v", last, got)
		}
	}
}

func packet(n uint16) []byte {
	p := rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: n%50 == 0, SequenceNumber: n, Timestamp: uint32(n) * 160, SSRC: 42},
		Payload: bytes.Repeat([]byte{byte(n)}, 160),
	}
	b, err := p.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}
