package sip

import (
	"errors"
	"fmt"
	"net"

	"trunkline/edge/media"
)

// Format is what was negotiated for a leg.
type Format = media.Format

func (ua *UA) openPort() (*media.UDPPort, error) {
	cfg := media.PortConfig{PortMin: int(ua.cfg.MediaPortMin), PortMax: int(ua.cfg.MediaPortMax)}
	if ip := ua.cfg.MediaIP; ip.IsValid() && !ip.IsUnspecified() {
		cfg.IP = net.IP(ip.AsSlice())
	}
	if ip := ua.cfg.AdvertisedIP; ip.IsValid() {
		cfg.AdvertisedIP = net.IP(ip.AsSlice())
	}
	p, err := media.ListenUDP(cfg)
	if err != nil {
		return nil, errors.Join(ErrNoPort, fmt.Errorf("open media port: %w", err))
	}
	return p, nil
}
