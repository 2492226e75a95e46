package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

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

// decodeSecret reads base64. What it says never tells anything of the text but how long it is.
func decodeSecret(text string) (secret, string) {
	const how = "; make one with: openssl rand -base64 32"
	if text == "" {
		return secret{}, "the secret is empty; leave the key out for none"
	}
	if strings.ContainsAny(text, "\r\n") {
		return secret{}, "the secret has line breaks; write it in one line"
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return secret{}, "the secret is not base64 (letters, digits, + and /, with = at the end)" + how
	}
	return newSecret(b), checkSecret(b)
}

func checkSecret(b []byte) string {
	if len(b) < sessionstore.MinSecretBytes {
		return fmt.Sprintf("the secret has %d bytes; at least %d random bytes are needed; make one with: openssl rand -base64 32",
			len(b), sessionstore.MinSecretBytes)
	}
	return ""
}

// maxSecretFileBytes is far more than a secret needs.
const maxSecretFileBytes = 4096

// readSecretFile reads a file that holds a secret as it would stand in the configuration, and at most one line break.
func readSecretFile(path string) (secret, Problem) {
	data, problem := readRegular(path, maxSecretFileBytes)
	if problem.Text == "" {
		text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
		var s secret
		if s, problem.Text = decodeSecret(text); problem.Text == "" {
			return s, Problem{}
		}
	}
	problem.Text = path + ": " + problem.Text
	return secret{}, problem
}

// readRegular reads a file of at most limit bytes. Anything but a regular file is refused: a pipe could make the program wait
// for ever. The problem has no source, and does not repeat the path; its text is empty where there is none.
func readRegular(path string, limit int64) ([]byte, Problem) {
	tooLarge := Problem{Text: fmt.Sprintf("the file is larger than %d KiB, far more than it needs", limit/1024)}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, explainPath(err)
	case info.IsDir():
		return nil, Problem{Text: "this is a directory; name a file"}
	case !info.Mode().IsRegular():
		return nil, Problem{Text: "this is a device, pipe or socket; name a regular file"}
	case info.Size() > limit:
		return nil, tooLarge
	}
	file, err := os.Open(path) //nolint:gosec // It is the file that the user names.
	if err != nil {
		return nil, explainPath(err)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1)) // It may have grown.
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, explainPath(err)
	}
	if int64(len(data)) > limit {
		return nil, tooLarge
	}
	return data, Problem{}
}

func explainPath(err error) Problem {
	var failed *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Problem{Text: "there is no such file", Err: err}
	case errors.Is(err, fs.ErrPermission):
		return Problem{Text: "this user may not read the file", Err: err}
	case errors.As(err, &failed):
		return Problem{Text: fmt.Sprintf("the file cannot be read: %v", failed.Err), Err: err}
	default:
		return Problem{Text: fmt.Sprintf("the file cannot be read: %v", err), Err: err}
	}
}

// reveal writes a secret as it is written in a file or a variable.
func reveal(s secret) string { return base64.StdEncoding.EncodeToString(s.bytes()) }
