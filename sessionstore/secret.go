package sessionstore

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/scsdynamo/scsdynamo/internal/plainfile"
)

// MinSecretBytes is the length of the shortest secret.
const MinSecretBytes = 32

// maxSecretFileBytes is far more than a secret needs.
const maxSecretFileBytes = 4096

// Secret is a secret for [WithSecret], which takes it as it takes any bytes. Printed, logged or encoded as text it is
// "[redacted]", and gob refuses it. That holds where its methods are called: package fmt prints the bytes of one in an
// unexported field of another struct, and so does what reads memory or fields by reflection.
type Secret []byte

const redacted = "[redacted]"

// Format implements fmt.Formatter, for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// GobEncode implements gob.GobEncoder. It fails, so that no session and no file gets a secret by mistake.
func (Secret) GobEncode() ([]byte, error) {
	return nil, errors.New("sessionstore: a Secret is not encoded; keep it out of what is encoded")
}

// InvalidSecretError says why there is no secret.
type InvalidSecretError struct {
	// Source is the file or the variable, empty where the caller has the text or gave a secret in its place.
	Source string
	// Problem says what is wrong and what to do. Nothing of the secret is in it but its length.
	Problem string
	// Err is the cause, such as fs.ErrNotExist. It may be nil.
	Err error
}

// Error implements error.
func (e *InvalidSecretError) Error() string {
	if e.Source == "" {
		return "sessionstore: " + e.Problem
	}
	return "sessionstore: " + e.Source + ": " + e.Problem
}

// Unwrap returns the cause.
func (e *InvalidSecretError) Unwrap() error { return e.Err }

const makeSecret = "; make one with: openssl rand -base64 32"

// ParseSecret reads a secret as people hand it around: base64, standard or for URLs, with or without padding, or
// hexadecimal, as "openssl rand -base64 32" and "openssl rand -hex 32" write it. White space around it, such as a line
// break at the end, is left out. A secret that is too short or cannot be random, and text that reads as typed, are
// refused: see [WithSecret]. The error is a [*InvalidSecretError].
func ParseSecret(text string) (Secret, error) {
	refuse := func(problem string) (Secret, error) { return nil, &InvalidSecretError{Problem: problem} }
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return refuse("the secret is empty" + makeSecret)
	case strings.ContainsAny(text, "\r\n"):
		return refuse("the secret has line breaks; write it in one line")
	}
	secret, ok := decodeSecret(text)
	if !ok {
		return refuse("the secret is neither base64 nor hexadecimal" + makeSecret)
	}
	if weakness := weaknessOf(secret); weakness != "" {
		return refuse("the secret " + weakness)
	}
	return secret, nil
}

// decodeSecret decodes base64 and hexadecimal. Digits to the base of 16 could be base64, too; no random base64 of 32
// bytes has nothing else.
func decodeSecret(text string) (Secret, bool) {
	if secret, err := hex.DecodeString(text); err == nil {
		return secret, true
	}
	unpadded := strings.TrimRight(text, "=")
	if padding := len(text) - len(unpadded); padding != 0 && len(text)%4 != 0 || padding > 2 {
		return nil, false
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if secret, err := encoding.Strict().DecodeString(unpadded); err == nil {
			return secret, true
		}
	}
	return nil, false
}

// SecretFromEnv reads the secret in an environment variable, as [ParseSecret] does. The error is a
// [*InvalidSecretError] with the name of the variable.
func SecretFromEnv(variable string) (Secret, error) {
	text, found := os.LookupEnv(variable)
	if !found && isSecret(variable) {
		return nil, &InvalidSecretError{Problem: "there is no such environment variable, and " + misplaced}
	}
	if !found {
		return nil, &InvalidSecretError{Source: variable, Problem: "there is no such environment variable"}
	}
	secret, err := ParseSecret(text)
	return secret, withSource(variable, err)
}

// SecretFromFile reads the secret in a file, as [ParseSecret] does, such as one that Docker, Kubernetes or systemd
// mounts. A file that other users of the machine own, may change or may replace, where a directory or link on the way
// to it lets them, is refused: they would choose the secret. This user and root are no others, and on a read-only
// mount, such as Docker and Kubernetes make, nobody changes anything. One that all of them may read is told of to the
// default logger of package slog, at level Warn. Windows has other rights, and is not looked at. The error is a
// [*InvalidSecretError] with the path.
func SecretFromFile(path string) (Secret, error) {
	data, err := plainfile.Read(path, maxSecretFileBytes)
	var others plainfile.Others
	if err == nil {
		others, err = plainfile.OthersOf(path)
	}
	if errors.Is(err, fs.ErrNotExist) && isSecret(path) {
		return nil, &InvalidSecretError{Problem: "there is no such file, and " + misplaced, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, &InvalidSecretError{Source: path, Problem: err.Error(), Err: err}
	}
	if others.Change != "" {
		return nil, &InvalidSecretError{Source: path, Problem: others.Change}
	}
	secret, err := ParseSecret(string(data))
	if err == nil && others.Read {
		slog.Warn("sessionstore: every user of this machine may read a file with a secret; chmod 600, or 640 with a group "+
			"of its own",
			"file", path)
	}
	return secret, withSource(path, err)
}

// misplaced is said in place of a name that is none.
const misplaced = "what was given as its name is a secret; read that with ParseSecret"

// isSecret reports whether a text is a secret.
func isSecret(text string) bool {
	_, err := ParseSecret(text)
	return err == nil
}

func withSource(source string, err error) error {
	if e, ok := err.(*InvalidSecretError); ok { //nolint:errorlint // It is of ParseSecret, which wraps nothing.
		e.Source = source
	}
	return err
}
