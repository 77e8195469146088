package carrier

import _ "embed"

// Speech is some seconds of a caller's voice, 8 kHz u-law, made with espeak-ng.
//
//go:embed speech.ulaw
var Speech []byte
