package node

import (
	"fmt"
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
			out = append(out, uplink.Recording{ID: m.RecordingID, Tenant: m.Tenant, CallID: m.CallID, Size: m.Bytes})
		}
	}
	return out, nil
}

func (u uploads) find(id string) (recording.Manifest, error) {
	all, err := recording.List(u.n.recordingDir())
	if err != nil {
		return recording.Manifest{}, err
	}
	for _, m := range all {
		if m.RecordingID == id {
			return m, nil
		}
	}
	return recording.Manifest{}, fmt.Errorf("recording %s: %w", id, os.ErrNotExist)
}

// Open opens the file of a recording.
func (u uploads) Open(id string) (uplink.File, error) {
	m, err := u.find(id)
	if err != nil {
		return nil, err
	}
	return os.Open(m.File)
}

// Uploaded removes a recording the cloud holds whole.
func (u uploads) Uploaded(id string) error {
	m, err := u.find(id)
	if err != nil {
		return err
	}
	return recording.Remove(m)
}
