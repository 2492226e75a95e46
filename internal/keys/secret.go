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

// HoldsSecret reports whether a text is a secret, or has one as a part. What is in the wrong place is then not shown.
func HoldsSecret(text string) bool {
	const least, most, enough = 43, 90, 300 // bytes: of 32 in base64, of 64 with padding, of what is looked at
	text = text[:min(len(text), enough)]
	edge := func(i int) bool {
		return i == 0 || i == len(text) || strings.IndexByte(" ,:;=/_-.#@?&\"'`(){}[]<>\t\r\n", text[i]) >= 0
	}
	for from := range text {
		if from > 0 && !edge(from-1) {
			continue
		}
		for to := from + least; to <= min(len(text), from+most); to++ {
			if !edge(to) {
				continue
			}
			if _, wrong := ParseSecret(text[from:to]); wrong == "" {
				return true
			}
		}
	}
	return false
}

// Shown returns a name or a path as it may be shown: without a secret that is there by mistake.
func Shown(name string) string {
	if HoldsSecret(name) {
		return redacted
	}
	return name
}

// OnCommandLine says why a secret is not set by a flag.
const OnCommandLine = "a command line is seen by every user of the machine, and kept in the history of the shell; " +
	"set SCSDYNAMO_SECRET_CURRENT or SCSDYNAMO_SECRET_PREVIOUS, or name a file with secret.current_file or " +
	"secret.previous_files"
