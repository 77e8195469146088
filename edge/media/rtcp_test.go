package media_test

import (
	"math"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"trunkline/edge/media"
	"trunkline/edge/media/mediatest"
)

// rtcpPort is one end of a pipe with RTCP beside it.
type rtcpPort struct {
	media.Port
	in, out chan []byte
	shut    chan struct{}
}

func (p *rtcpPort) ReadRTCP(buf []byte) (int, error) {
	select {
	case b := <-p.in:
		return copy(buf, b), nil
	case <-p.shut:
		return 0, net.ErrClosed
	}
}

func (p *rtcpPort) WriteRTCP(b []byte) error {
	p.out <- append([]byte(nil), b...)
	return nil
}

func (p *rtcpPort) Close() error {
	close(p.shut)
	return p.Port.Close()
}

func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := mediatest.Pipe()
		port := &rtcpPort{near, make(chan []byte, 10), make(chan []byte, 100), make(chan struct{})}
		s := media.NewStream(port, mediatest.Format(media.PCMU), media.Config{})
		defer func() { s.Close(); <-s.Done(); far.Close() }()

		next := func() []rtcp.Packet {
			t.Helper()
			packets, err := rtcp.Unmarshal(<-port.out)
			if err != nil {
				t.Fatal(err)
			}
			if len(packets) != 2 || packets[1].(*rtcp.SourceDescription).Chunks[0].Items[0].Text != "media" {
				t.Fatalf("compound of %d packets: %v", len(packets), packets)
			}
			return packets
		}
		began := time.Now()
		if rr, ok := next()[0].(*rtcp.ReceiverReport); !ok || len(rr.Reports) != 0 || time.Since(began) > 7*time.Second {
			t.Errorf("first report %v after %s", rr, time.Since(began))
		}
		// The far end sends 100 packets of which 10 get lost, and a report of its own.
		for i := range 100 {
			<-time.After(20 * time.Millisecond)
			if i%10 == 5 {
				continue
			}
			b, _ := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(65500 + i), Timestamp: uint32(i) * 160, SSRC: 77}, Payload: make([]byte, 160)}).Marshal()
			_ = far.WriteRTP(b)
		}
		sr, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 77, NTPTime: 0x1122334455667788}})
		port.in <- sr
		s.Play(media.Clips(true, tone(700, -10, time.Second)), nil)
		sent := time.Now()
		report, ok := next()[0].(*rtcp.SenderReport)
		if !ok || len(report.Reports) != 1 {
			t.Fatalf("no sender report with a block: %v", report)
		}
		block := report.Reports[0]
		if block.SSRC != 77 || block.TotalLost != 10 || math.Abs(float64(block.FractionLost)/256-0.1) > 0.01 || block.LastSequenceNumber != 65536+63 {
			t.Errorf("block %+v", block)
		}
		if delay := time.Duration(block.Delay) * time.Second / 65536; block.LastSenderReport != 0x33445566 || (delay-time.Since(sent)).Abs() > time.Millisecond {
			t.Errorf("last report %#x %s ago, want %s", block.LastSenderReport, delay, time.Since(sent))
		}
		if packets := uint32(s.Stats().SentPackets); report.PacketCount < packets-1 || report.OctetCount != report.PacketCount*160 {
			t.Errorf("says %d packets, %d bytes; sent %d", report.PacketCount, report.OctetCount, packets)
		}
		// The far end answers 30 ms later, having kept it for 10 ms.
		<-time.After(30 * time.Millisecond)
		rr, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 77, Reports: []rtcp.ReceptionReport{
			{SSRC: report.SSRC, LastSenderReport: uint32(report.NTPTime >> 16), Delay: 655},
		}}})
		_ = far.WriteRTP(rr) // RFC 5761: among the RTP
		settle()
		st := s.Stats()
		if (st.RTT-20*time.Millisecond).Abs() > time.Millisecond || st.Lost != 10 || st.Packets != 90 || st.Jitter > time.Millisecond {
			t.Errorf("stats %+v", st)
		}
	})
}
