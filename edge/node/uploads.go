package node

import (
	"os"

	"trunkline/edge/recording"
	"trunkline/edge/uplink"
)

// uploads shows this node's closed recordings to the uplink.
type uploads struct{ n *Node }

// Closed lists the recordings whose manifests are reported: the cloud knows what
// they are.
func (u uploads) Closed() ([]uplink.Recording, error) {
	all, err := recording.List(u.n.recordingDir())
	if err != nil {
		return nil, err
	}
	var out []uplink.Recording
	for _, m := range all {
		if m.Reported {
			out = append(out, uplink.Recording{ID: m.RecordingID, Tenant: m.Tenant, CallID: m.CallID, Size: m.Bytes, File: m.File})
		}
	}
	return out, nil
}

// Open opens the file of a recording.
func (uploads) Open(r uplink.Recording) (uplink.File, error) { return os.Open(r.File) }

// Uploaded removes a recording the cloud holds whole.
func (uploads) Uploaded(r uplink.Recording) error { return recording.Remove(r.File) }
