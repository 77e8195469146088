package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/fxamacker/cbor/v2"

	accessv1 "trunkline/proto/gen/trunkline/access/v1"
)

// passkey is an authenticator as the WebAuthn specification has it: a P-256 key
// that signs what the browser would hand it.
type passkey struct {
	key    *ecdsa.PrivateKey
	id     []byte
	handle string
	count  uint32
}

func newPasskey(t *testing.T) *passkey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 20)
	_, _ = rand.Read(id)
	return &passkey{key: key, id: id}
}

var b64 = base64.RawURLEncoding

// options are the parts of the server's options an authenticator looks at.
type options struct {
	PublicKey struct {
		Challenge string
		RP        struct{ ID string }
		RPID      string `json:"rpId"`
		User      struct{ ID string }
	} `json:"publicKey"`
}

// data is the authenticator data, section 6.1: user present and verified.
func (k *passkey) data(rp string, attested bool) []byte {
	sum := sha256.Sum256([]byte(rp))
	flags := byte(0x01 | 0x04)
	if attested {
		flags |= 0x40
	}
	k.count++
	out := append(sum[:], flags)
	out = binary.BigEndian.AppendUint32(out, k.count)
	if !attested {
		return out
	}
	out = append(out, make([]byte, 16)...) // no AAGUID
	out = binary.BigEndian.AppendUint16(out, uint16(len(k.id)))
	out = append(out, k.id...)
	pub, err := k.key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	cose, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: pub[1:33], -3: pub[33:]})
	if err != nil {
		panic(err)
	}
	return append(out, cose...)
}

func clientData(kind, challenge, origin string) []byte {
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false})
	return b
}

func (k *passkey) enrolRequest(t *testing.T, p *person) *accessv1.FinishPasskeyRequest {
	t.Helper()
	begin, err := p.access().BeginPasskeyEnrolment(t.Context(), &accessv1.BeginPasskeyEnrolmentRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var o options
	if err := json.Unmarshal([]byte(begin.OptionsJson), &o); err != nil {
		t.Fatal(err)
	}
	k.handle = o.PublicKey.User.ID
	attestation, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": k.data(o.PublicKey.RP.ID, true)})
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := json.Marshal(map[string]any{
		"id": b64.EncodeToString(k.id), "rawId": b64.EncodeToString(k.id), "type": "public-key",
		"response": map[string]any{
			"clientDataJSON":    b64.EncodeToString(clientData("webauthn.create", o.PublicKey.Challenge, p.h.publicURL.String())),
			"attestationObject": b64.EncodeToString(attestation),
		},
	})
	return &accessv1.FinishPasskeyRequest{Ceremony: begin.Ceremony, ResponseJson: string(answer), Name: "Test key"}
}

func (k *passkey) enrol(t *testing.T, p *person) {
	t.Helper()
	if _, err := p.access().FinishPasskeyEnrolment(t.Context(), k.enrolRequest(t, p)); err != nil {
		t.Fatal(err)
	}
}

func (k *passkey) signInRequest(t *testing.T, p *person) *accessv1.FinishPasskeyRequest {
	t.Helper()
	begin, err := p.access().BeginPasskeySignIn(t.Context(), &accessv1.BeginPasskeySignInRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var o options
	if err := json.Unmarshal([]byte(begin.OptionsJson), &o); err != nil {
		t.Fatal(err)
	}
	client := clientData("webauthn.get", o.PublicKey.Challenge, p.h.publicURL.String())
	auth := k.data(o.PublicKey.RPID, false)
	sum := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, auth...), sum[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := json.Marshal(map[string]any{
		"id": b64.EncodeToString(k.id), "rawId": b64.EncodeToString(k.id), "type": "public-key",
		"response": map[string]any{
			"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(auth),
			"signature": b64.EncodeToString(signature), "userHandle": k.handle,
		},
	})
	return &accessv1.FinishPasskeyRequest{Ceremony: begin.Ceremony, ResponseJson: string(answer)}
}
