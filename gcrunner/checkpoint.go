package gcrunner

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/plainfile"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Checkpoint keeps the position of a run, so that the next one resumes there, also after a crash. A collector saves
// when a run begins, every few seconds, and when it ends. If the first save fails, nothing is deleted; if a later one
// does, the next one tries again, and the run returns the error of the last. An old position does no harm: what is
// behind it is looked at again.
type Checkpoint interface {
	// Load returns the position that was saved last, or the zero Position. A run takes what [Position.UnmarshalText]
	// refuses for no position, and logs a warning.
	Load(ctx context.Context) (Position, error)
	// Save keeps the position. The zero Position means that a run has completed.
	Save(ctx context.Context, position Position) error
}

// memoryCheckpoint is what a collector has that was given none.
type memoryCheckpoint struct {
	mu       sync.Mutex
	position Position
}

// Load implements Checkpoint.
func (c *memoryCheckpoint) Load(context.Context) (Position, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.position.clone(), nil
}

// Save implements Checkpoint.
func (c *memoryCheckpoint) Save(_ context.Context, position Position) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.position = position.clone()
	return nil
}

// FileCheckpoint keeps the position in a file of mode 0600, which it replaces as a whole: a crash leaves the old one or
// the new one. The directory must exist. It is for collectors on one machine; see [TableCheckpoint] for several. A file
// that holds anything else than a position is left as it is, and what is no regular file is not read: both methods then
// return an error, [ErrNoPosition] for the first.
func FileCheckpoint(path string) Checkpoint { return fileCheckpoint(path) }

type fileCheckpoint string

// maxPositionFile is how large the file of a position can be: it holds a few bytes for each segment, and a key for each
// that is being scanned.
const maxPositionFile = 64 << 20

// Load implements Checkpoint. A file that begins as a position does is one that is damaged, or of a later version.
func (c fileCheckpoint) Load(context.Context) (Position, error) {
	text, err := plainfile.Read(string(c), maxPositionFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Position{}, nil
	}
	if err != nil {
		return Position{}, &fs.PathError{Op: "read", Path: string(c), Err: err}
	}
	position, err := parsePosition(text)
	if err != nil && !bytes.HasPrefix(text, []byte(positionBegins)) {
		err = ErrNoPosition
	}
	if err != nil {
		return Position{}, &fs.PathError{Op: "read", Path: string(c), Err: err}
	}
	return position, nil
}

// Save implements Checkpoint.
func (c fileCheckpoint) Save(ctx context.Context, position Position) error {
	// Whoever has put something else there meanwhile, or has resumed at another position, must not lose it.
	if _, err := c.Load(ctx); err != nil && !errors.Is(err, errPosition) {
		return err
	}
	return c.replace(position)
}

func (c fileCheckpoint) replace(position Position) (err error) {
	text, err := position.MarshalText()
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(string(c)), filepath.Base(string(c))+".*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), string(c))
}

// positionKey is where TableCheckpoint keeps the position.
const positionKey = storage.ReservedPrefix + "collector-position"

// TableCheckpoint keeps the position beside the sessions, under a reserved key: any process that collects there
// resumes where another one has stopped. Saving costs a write of some hundred bytes, and more with many segments.
func TableCheckpoint(driver storage.Driver) Checkpoint { return tableCheckpoint{driver} }

type tableCheckpoint struct{ driver storage.Driver }

// Load implements Checkpoint.
func (c tableCheckpoint) Load(ctx context.Context) (Position, error) {
	record, found, err := c.driver.Get(ctx, positionKey, storage.Strong)
	if errors.Is(err, storage.ErrCorrupt) {
		return Position{}, errPosition
	}
	if err != nil || !found {
		return Position{}, err
	}
	return parsePosition(record.Data)
}

// Save implements Checkpoint. It overwrites any other position: a process that has lost its election may do so once
// more, and then some of what expired meanwhile is found by the run after the next, instead of the next.
func (c tableCheckpoint) Save(ctx context.Context, position Position) error {
	text, err := position.MarshalText()
	if err != nil {
		return err
	}
	return c.driver.Put(ctx, reservedRecord(positionKey, text), storage.Always())
}

// reservedRecord returns a record that is no session, and never expires.
func reservedRecord(key string, data []byte) storage.Record {
	now := time.Now()
	return storage.Record{
		Key: key, Data: data, CreatedAt: now, UpdatedAt: now, Version: storage.NewVersion(),
		ExpiresAt: time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC),
	}
}
