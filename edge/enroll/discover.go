package enroll

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"trunkline/internal/join"
)

// MaxClockOff is how far a node's clock may be from the cloud's. Further off it
// could not lead its site.
const MaxClockOff = 2 * time.Second

// Discovered is the cloud's answer, and what was learned by asking.
type Discovered struct {
	join.Discovery
	// NodeAddr of the Discovery, with the cloud's own host where it named none.
	// Offset is this clock minus the cloud's; right to half of RoundTrip.
	Offset, RoundTrip time.Duration
}

// ErrNoCloud means that what answers is not a Trunkline cloud.
var ErrNoCloud = errors.New("what answers is not a Trunkline cloud")

// ParseCloud reads the cloud's web address: http or https, host, nothing more.
func ParseCloud(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(s), "/"))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return nil, fmt.Errorf("%q is not an address such as https://cloud.example.com", s)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// Discover asks the cloud where its node port is and what time it has. client
// may be nil.
func Discover(ctx context.Context, client *http.Client, cloud *url.URL) (Discovered, error) {
	var out Discovered
	if client == nil {
		client = &http.Client{
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cloud.JoinPath(join.WellKnown).String(), nil)
	if err != nil {
		return out, err
	}
	start := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	out.RoundTrip = time.Since(start)
	if res.StatusCode != http.StatusOK {
		return out, fmt.Errorf("%w: HTTP status %s", ErrNoCloud, res.Status)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&out.Discovery); err != nil {
		return out, fmt.Errorf("%w: %w", ErrNoCloud, err)
	}
	if out.Time == 0 || out.NodeAddr == "" {
		return out, ErrNoCloud
	}
	out.Offset = start.Add(out.RoundTrip / 2).Sub(time.UnixMicro(out.Time))
	out.NodeAddr, err = reachable(out.NodeAddr, cloud.Hostname())
	return out, err
}

// reachable puts the cloud's host where the node port's address names none, as
// in ":9400" or "0.0.0.0:9400".
func reachable(addr, cloudHost string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("%w: node port %q", ErrNoCloud, addr)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = cloudHost
	}
	return net.JoinHostPort(host, port), nil
}
