package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"trunkline/edge/enroll"
)

type joinCommand struct {
	Cloud        string `required:"" help:"The cloud's web address."`
	Token        string `required:"" env:"TRUNKLINE_JOIN_TOKEN" help:"Join token from the site's page; works once."`
	Data         string `type:"path" default:"/var/lib/trunkline-edge" help:"Directory of this node."`
	Name         string `help:"Name of the node, unique in its site; the first part of the host's name if empty."`
	WebAddr      string `default:"127.0.0.1:0" help:"Address browsers reach; port 0 picks a free one for good."`
	NodeAddr     string `default:"127.0.0.1:0" help:"Address the other nodes reach."`
	SIPAddr      string `name:"sip-addr" default:"127.0.0.1:0" help:"SIP address, UDP and TCP."`
	WebRTCAddr   string `name:"webrtc-addr" default:"127.0.0.1:0" help:"UDP address of browsers' audio."`
	MetricsAddr  string `default:"127.0.0.1:0" help:"Address of /metrics and /status."`
	MediaIP      string `name:"media-ip" default:"127.0.0.1" help:"Address of RTP."`
	MediaPorts   string `default:"0" help:"RTP ports, first-last; 0 lets the system choose."`
	AdvertiseWeb string `help:"Base URL browsers open."`
	AdvertiseIP  string `name:"advertise-ip" help:"Address others reach this machine by, behind NAT."`
	Force        bool   `help:"Join anew in a directory that has joined."`
}

// Run joins and says each step.
func (c *joinCommand) Run(ctx context.Context) error {
	name := c.Name
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		name = strings.ToLower(strings.SplitN(host, ".", 2)[0])
	}
	e, err := enroll.Join(ctx, enroll.Request{
		Cloud: c.Cloud, Token: c.Token, Dir: c.Data, Name: name,
		Listen: enroll.Addrs{
			Web: c.WebAddr, Node: c.NodeAddr, SIP: c.SIPAddr, WebRTC: c.WebRTCAddr, Metrics: c.MetricsAddr,
			MediaIP: c.MediaIP, MediaPorts: c.MediaPorts,
		},
		AdvertiseWeb: c.AdvertiseWeb, AdvertiseIP: c.AdvertiseIP, Force: c.Force, Version: version,
		Say: func(s enroll.Step) {
			mark := "ok    "
			if s.Failed {
				mark = "FAILED"
			}
			fmt.Println(mark, s.Message)
		},
	})
	if _, told := errors.AsType[*enroll.Failure](err); told {
		return errSaid
	}
	if err != nil {
		return err
	}
	fmt.Printf("\nThis machine is node %s of site %s. Start it with\n\n  trunkline-edge run --data %s\n", e.Node().Name, e.Node().SiteName, c.Data)
	return nil
}
