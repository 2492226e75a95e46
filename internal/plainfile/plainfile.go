// Package plainfile reads small files that a user names, such as a configuration or a secret, and says in plain words
// what is wrong with one.
package plainfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Error is what is wrong with a file. Its text does not repeat the path.
type Error struct {
	Problem string
	// Err is the cause, nil where there is none.
	Err error
}

// Error implements error.
func (e *Error) Error() string { return e.Problem }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Read reads a file of at most limit bytes. Anything but a regular file is refused: a pipe could make the program wait
// for ever. The error is an *Error.
func Read(path string, limit int64) ([]byte, error) {
	tooLarge := &Error{Problem: fmt.Sprintf("the file is larger than %d KiB, far more than it needs", limit/1024)}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, explain(err)
	case info.IsDir():
		return nil, &Error{Problem: "this is a directory; name a file"}
	case !info.Mode().IsRegular():
		return nil, &Error{Problem: "this is a device, pipe or socket; name a regular file"}
	case info.Size() > limit:
		return nil, tooLarge
	}
	file, err := os.Open(path) //nolint:gosec // The user names the file.
	if err != nil {
		return nil, explain(err)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1)) // It may have grown.
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, explain(err)
	}
	if int64(len(data)) > limit {
		return nil, tooLarge
	}
	return data, nil
}

func explain(err error) error {
	var failed *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Problem: "there is no such file", Err: err}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Problem: "this user may not read the file", Err: err}
	case errors.As(err, &failed):
		return &Error{Problem: fmt.Sprintf("the file cannot be read: %v", failed.Err), Err: err}
	default:
		return &Error{Problem: fmt.Sprintf("the file cannot be read: %v", err), Err: err}
	}
}
