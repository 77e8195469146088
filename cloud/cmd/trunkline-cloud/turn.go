package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"

	"trunkline/cloud/server"
)

// relay are the flags of the media relay, which is off without an address.
type relay struct {
	TurnAddr       string   `env:"TRUNKLINE_TURN_ADDR" help:"Address (UDP and TCP) of the media relay for agents who cannot reach their site; off if empty."`
	TurnPublic     string   `env:"TRUNKLINE_TURN_PUBLIC" help:"Host or address browsers reach the media relay by."`
	TurnRelayIP    string   `name:"turn-relay-ip" env:"TRUNKLINE_TURN_RELAY_IP" help:"Address relayed media comes from; that of --turn-addr if empty."`
	TurnMinPort    uint16   `default:"49152" env:"TRUNKLINE_TURN_MIN_PORT" help:"First port of relayed media."`
	TurnMaxPort    uint16   `default:"65535" env:"TRUNKLINE_TURN_MAX_PORT" help:"Last port of relayed media."`
	TurnAllowPeers []string `env:"TRUNKLINE_TURN_ALLOW_PEERS" help:"Private prefixes that may be relayed to; all others are refused."`
}

func (r relay) config() (out server.TurnConfig, err error) {
	out = server.TurnConfig{Addr: r.TurnAddr, Public: r.TurnPublic, MinPort: r.TurnMinPort, MaxPort: r.TurnMaxPort}
	if r.TurnAddr == "" {
		return out, nil
	}
	ip := r.TurnRelayIP
	if ip == "" {
		if ip, _, err = net.SplitHostPort(r.TurnAddr); err != nil {
			return out, fmt.Errorf("--turn-addr: %w", err)
		}
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil || addr.IsUnspecified() {
		return out, fmt.Errorf("--turn-relay-ip: %q is no address media can come from", ip)
	}
	out.RelayIP = addr.AsSlice()
	for _, p := range r.TurnAllowPeers {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return out, fmt.Errorf("--turn-allow-peers: %w", err)
		}
		out.AllowPeers = append(out.AllowPeers, prefix)
	}
	return out, nil
}

// config is what a command beside the server needs of its configuration.
func (d database) config() server.Config {
	return server.Config{Data: d.Data, DatabaseURL: d.DatabaseURL, MigrationURL: d.MigrationURL}
}

// note tells a person something that is no output.
func note(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
