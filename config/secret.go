package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/scsdynamo/scsdynamo/internal/plainfile"
	"github.com/scsdynamo/scsdynamo/sessionstore"
)

const (
	redacted      = "[redacted]"
	secretSection = "secret"
)

// secret keeps its bytes where neither fmt nor a dumper that walks over fields finds them.
type secret struct{ bytes func() []byte }

func newSecret(b []byte) secret { return secret{func() []byte { return b }} }

// NewSecret draws a secret of 32 random bytes and returns it as it is written in a file or a variable. So does
// openssl rand -base64 32.
func NewSecret() string {
	b := make([]byte, sessionstore.MinSecretBytes)
	_, _ = rand.Read(b) // It never fails.
	return base64.StdEncoding.EncodeToString(b)
}

func parseSecret(text string) (any, string) {
	s, wrong := decodeSecret(text)
	return s, wrong
}

// decodeSecret reads base64 or hexadecimal. What it says never tells anything of the text but how long it is.
func decodeSecret(text string) (secret, string) {
	if strings.TrimSpace(text) == "" {
		return secret{}, "the secret is empty; leave the key out for none"
	}
	b, err := sessionstore.ParseSecret(text)
	if err != nil {
		return secret{}, problemOf(err)
	}
	return newSecret(b), ""
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

// maxSecretFileBytes is far more than a secret needs.
const maxSecretFileBytes = 4096

// readSecretFile reads a file that holds a secret as it would stand in the configuration.
func readSecretFile(path string) (secret, Problem) {
	data, problem := readRegular(path, maxSecretFileBytes)
	var s secret
	if problem.Text == "" {
		problem.Text = changedByOthers(path)
	}
	if problem.Text == "" {
		s, problem.Text = decodeSecret(string(data))
	}
	if problem.Text != "" {
		problem.Text = path + ": " + problem.Text
	}
	return s, problem
}

// changedByOthers says how other users may change a file, or replace it, and with it the secret that is in it.
func changedByOthers(path string) string {
	others, err := plainfile.OthersOf(path)
	if err != nil {
		return err.Error()
	}
	return others.Change
}

// readRegular reads a file of at most limit bytes. The problem has no source, and does not repeat the path; its text is empty
// where there is none.
func readRegular(path string, limit int64) ([]byte, Problem) {
	data, err := plainfile.Read(path, limit)
	if err != nil {
		return nil, Problem{Text: err.Error(), Err: causeOf(err)}
	}
	return data, Problem{}
}

// causeOf returns what made it impossible to read a file.
func causeOf(err error) error {
	var failed *plainfile.Error
	if !errors.As(err, &failed) {
		return nil
	}
	return failed.Err
}

// reveal writes a secret as it is written in a file or a variable.
func reveal(s secret) string { return base64.StdEncoding.EncodeToString(s.bytes()) }
