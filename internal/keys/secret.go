package keys

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/scsdynamo/scsdynamo/sessionstore"
)

const (
	redacted = "[redacted]"
	// SecretSection is where keys for secrets are.
	SecretSection = "secret"
)

// Secret keeps its bytes where neither fmt nor a dumper that walks over fields finds them.
type Secret struct{ bytes func() []byte }

// NewSecret returns the secret of these bytes.
func NewSecret(b []byte) Secret { return Secret{func() []byte { return b }} }

func parseSecret(text string) (any, string) {
	s, wrong := ParseSecret(text)
	return s, wrong
}

// ParseSecret reads base64 or hexadecimal. What it says never tells anything of the text but how long it is.
func ParseSecret(text string) (Secret, string) {
	if strings.TrimSpace(text) == "" {
		return Secret{}, "the secret is empty; leave the key out for none"
	}
	b, err := sessionstore.ParseSecret(text)
	if err != nil {
		return Secret{}, problemOf(err)
	}
	return NewSecret(b), ""
}

// checkSecret checks a secret that code gives as bytes.
func checkSecret(b []byte) string {
	_, err := sessionstore.ParseSecret(base64.StdEncoding.EncodeToString(b))
	return problemOf(err)
}

// problemOf returns what is wrong with a secret.
func problemOf(err error) string {
	var failed *sessionstore.InvalidSecretError
	if !errors.As(err, &failed) {
		return ""
	}
	return failed.Problem
}

// Bytes returns the secret.
func (s Secret) Bytes() []byte { return s.bytes() }

// Reveal returns the secret as it is written in a file or a variable.
func (s Secret) Reveal() string { return base64.StdEncoding.EncodeToString(s.bytes()) }
