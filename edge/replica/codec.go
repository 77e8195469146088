package replica

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"trunkline/edge/call"
)

// A log entry is the CBOR of a batch, in the deterministic encoding of RFC 8949,
// section 4.2.1.

// batch is one log entry: what was proposed together, with one site time.
type batch struct {
	At       int64           `cbor:"1,keyasint"`
	Epoch    uint64          `cbor:"2,keyasint"`
	Commands []call.Envelope `cbor:"3,keyasint"`
}

var (
	encoding = must(cbor.CoreDetEncOptions().EncMode())
	// Text from the wire may be anything: an entry that can not be read would
	// stop the site.
	decoding = must(lenient.DecMode())
	lenient  = cbor.DecOptions{MaxArrayElements: 1 << 20, UTF8: cbor.UTF8DecodeInvalid}
	// What is in the log or in a snapshot may not hold a field this version
	// does not know: leaving it out would make this node another than its peers.
	exact = func() cbor.DecMode {
		o := lenient
		o.ExtraReturnErrors = cbor.ExtraDecErrorUnknownField
		return must(o.DecMode())
	}()
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // an option of ours is wrong
	}
	return v
}

// errUnknownCommand: the log holds what this version does not understand.
var errUnknownCommand = errors.New("replica: unknown command")

func envelope(key string, cmd call.Command) (call.Envelope, error) {
	body, err := encoding.Marshal(cmd)
	if err != nil {
		return call.Envelope{}, fmt.Errorf("replica: encode command %d: %w", cmd.CommandType(), err)
	}
	return call.Envelope{Key: key, Type: cmd.CommandType(), Body: body}, nil
}

// decoders read the body of each type this version knows.
var decoders = map[call.Type]func([]byte) (call.Command, error){
	call.TypeCallStart:       decode[call.CallStart],
	call.TypeFlowStep:        decode[call.FlowStep],
	call.TypeEnqueue:         decode[call.Enqueue],
	call.TypeDequeue:         decode[call.Dequeue],
	call.TypeAssign:          decode[call.Assign],
	call.TypeOfferEnd:        decode[call.OfferEnd],
	call.TypeConnect:         decode[call.Connect],
	call.TypeHold:            decode[call.Hold],
	call.TypeDialog:          decode[call.Dialog],
	call.TypeCallEnd:         decode[call.CallEnd],
	call.TypeSegment:         decode[call.Segment],
	call.TypeRecordingClosed: decode[call.RecordingClosed],
	call.TypeSignIn:          decode[call.SignIn],
	call.TypeSignOut:         decode[call.SignOut],
	call.TypeSetAgentState:   decode[call.SetAgentState],
	call.TypeAgentStream:     decode[call.AgentStream],
	call.TypeAgentLost:       decode[call.AgentLost],
	call.TypeWrapUpSave:      decode[call.WrapUpSave],
	call.TypeWrapUpEnd:       decode[call.WrapUpEnd],
	call.TypeNodeUp:          decode[call.NodeUp],
	call.TypeNodeDown:        decode[call.NodeDown],
	call.TypeMoved:           decode[call.Moved],
	call.TypeConfig:          decode[call.Config],
	call.TypeOutboxAck:       decode[call.OutboxAck],
	call.TypeInbox:           decode[call.Inbox],
	call.TypeTicketUse:       decode[call.TicketUse],
	call.TypeSetLevel:        decode[call.SetLevel],
	call.TypeTransferCall:    decode[call.TransferCall],
	call.TypeOutsideAnswered: decode[call.OutsideAnswered],
	call.TypeOutsideEnd:      decode[call.OutsideEnd],
	call.TypeConsultCall:     decode[call.ConsultCall],
	call.TypeConsultJoin:     decode[call.ConsultJoin],
	call.TypeConsultEnd:      decode[call.ConsultEnd],
}

func decode[T call.Command](body []byte) (call.Command, error) {
	var c T
	err := exact.Unmarshal(body, &c)
	return c, err
}

// open reads the command of an envelope.
func open(e call.Envelope) (call.Command, error) {
	read, ok := decoders[e.Type]
	if !ok {
		return nil, fmt.Errorf("%w: type %d", errUnknownCommand, e.Type)
	}
	cmd, err := read(e.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: type %d: %w", errUnknownCommand, e.Type, err)
	}
	return cmd, nil
}
