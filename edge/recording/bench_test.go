package recording

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"trunkline/edge/media"
)

// The child process of BenchmarkForwardRecorded finds its far ports here.
const phonesEnv = "TRUNKLINE_RECORDING_TEST_PHONES"

const (
	benchLegs = 400
	benchTime = 5 * time.Second
)

// BenchmarkForwardRecorded is the CPU time of a forwarded packet of G.711 in
// real time: 200 calls of two legs with sockets of their own, all recorded. The telephones
// are another process, so their work does not count.
func BenchmarkForwardRecorded(b *testing.B) { benchmarkCalls(b, "packet_recorded_us", true) }

// BenchmarkForwardUnrecorded is the same without recording.
func BenchmarkForwardUnrecorded(b *testing.B) { benchmarkCalls(b, "packet_forwarded_us", false) }

func benchmarkCalls(b *testing.B, name string, recorded bool) {
	s := started(b, Config{})
	defer stop(b, s)
	k := newKeys(b)
	var legs [benchLegs]*media.Stream
	var ports []string
	for i := range legs {
		port, err := media.ListenUDP(media.PortConfig{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		ports = append(ports, strconv.Itoa(int(port.LocalAddr().Port())))
		legs[i] = media.NewStream(port, media.Format{}, media.Config{})
		defer func() { legs[i].Close(); <-legs[i].Done() }()
		if i%2 == 0 {
			continue
		}
		media.Join(legs[i-1], legs[i])
		if recorded {
			sp := spec(k)
			sp.RecordingID = fmt.Sprintf("call-%d", i)
			legs[i].Tap(record(b, s, sp))
		}
	}
	phones := exec.Command(os.Args[0])
	phones.Env = append(os.Environ(), phonesEnv+"="+strings.Join(ports, ","))
	phones.Stderr = os.Stderr
	if err := phones.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { phones.Process.Kill(); phones.Wait() }()
	<-time.After(time.Second)
	for b.Loop() {
		sent, cpu := sentBy(legs[:]), cpuTime(b)
		<-time.After(benchTime)
		n, used := sentBy(legs[:])-sent, cpuTime(b)-cpu
		if n == 0 {
			b.Fatal("no packet came through")
		}
		us := float64(used.Nanoseconds()) / float64(n) / 1e3
		b.ReportMetric(us, "cpu-us/packet")
		b.Logf("FIGURE %s %.2f us", name, us)
		// Far below 100, the machine was too busy for the telephones, and the figure is of another load.
		b.Logf("FIGURE %s_load %.0f %%", name, 100*float64(n)/float64(benchLegs*benchTime/(20*time.Millisecond)))
	}
	if lost := s.Status(); recorded && lost.Active != benchLegs/2 {
		b.Errorf("%+v", lost)
	}
}

func sentBy(legs []*media.Stream) (n uint64) {
	for _, l := range legs {
		n += l.Stats().SentPackets
	}
	return n
}

// speakUntilKilled is the telephones: each sends a packet every 20 ms, a few of
// them each millisecond, and throws away what it hears.
func speakUntilKilled(ports string) {
	var conns []*net.UDPConn
	for p := range strings.SplitSeq(ports, ",") {
		n, err := strconv.Atoi(p)
		if err != nil {
			panic(err)
		}
		c, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n})
		if err != nil {
			panic(err)
		}
		conns = append(conns, c)
		go func() {
			buf := make([]byte, 2000)
			for {
				if _, err := c.Read(buf); err != nil {
					return
				}
			}
		}()
	}
	pkt := make([]byte, 172)
	pkt[0] = 0x80
	tick := time.NewTicker(time.Millisecond)
	began := time.Now()
	for sent := 0; ; <-tick.C {
		// As many as should have been sent by now, in turns.
		for due := int(time.Since(began) * time.Duration(len(conns)) / (20 * time.Millisecond)); sent < due; sent++ {
			turn := sent / len(conns)
			binary.BigEndian.PutUint16(pkt[2:], uint16(turn))
			binary.BigEndian.PutUint32(pkt[4:], uint32(turn)*160)
			conns[sent%len(conns)].Write(pkt)
		}
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
