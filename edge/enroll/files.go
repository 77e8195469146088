package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"trunkline/internal/durable"
)

const (
	identityFile = "identity.pem"
	nodeFile     = "node.json"
	siteFile     = "site.pb"
	joiningFile  = "joining.key"
)

func newKey() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func decodeKey(der []byte) (crypto.Signer, error) {
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := k.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T cannot sign", k)
	}
	return signer, nil
}

// joiningKey gives the key of the join begun in dir, or begins one. A spent
// token is answered again for the same key only.
func joiningKey(dir string) (crypto.Signer, error) {
	path := filepath.Join(dir, joiningFile)
	if text, err := os.ReadFile(path); err == nil {
		if block, _ := pem.Decode(text); block != nil {
			if key, err := decodeKey(block.Bytes); err == nil {
				return key, nil
			}
		}
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	text, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return key, durable.WriteFile(path, text)
}

// encodeIdentity is the content of identity.pem: key, chain (leaf first), CA.
func encodeIdentity(key crypto.Signer, chain [][]byte, ca []byte) ([]byte, error) {
	out, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	for _, der := range chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return append(out, pem.EncodeToMemory(&pem.Block{Type: "TRUSTED CERTIFICATE", Bytes: ca})...), nil
}

func decodeIdentity(text []byte) (key crypto.Signer, chain [][]byte, ca []byte, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			if key, err = decodeKey(block.Bytes); err != nil {
				return nil, nil, nil, err
			}
		case "CERTIFICATE":
			chain = append(chain, block.Bytes)
		case "TRUSTED CERTIFICATE":
			ca = block.Bytes
		}
	}
	if key == nil || len(chain) == 0 || ca == nil {
		return nil, nil, nil, errors.New("it does not hold a key, a certificate and a CA")
	}
	return key, chain, ca, nil
}
