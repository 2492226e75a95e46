package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/scsdynamo/scsdynamo/storage"
)

var (
	// ErrInUse says that the file is open elsewhere: in another process, or a second time in this one. One driver at a
	// time can use a file. Close the other, or give each its own file. It matches storage.ErrUnavailable.
	ErrInUse error = unavailable("boltstore: the file is in use by another process, or opened twice in this one")

	// ErrFull says that the disk, or what this user may use of it, is full. Nothing was written. It matches
	// storage.ErrUnavailable: reads go on, and so do writes once there is room.
	ErrFull error = unavailable("boltstore: there is no room for the file")

	// ErrReadOnly says that this user must not write to the file, or that its file system is read-only. Nothing was
	// written.
	ErrReadOnly = errors.New("boltstore: the file must not be written to")

	// ErrClosed is what every operation returns after Close. Nothing was written.
	ErrClosed = errors.New("boltstore: the driver is closed")

	// ErrNotDatabase says that the file is not a bbolt database, or is one that was damaged or cut short.
	ErrNotDatabase = errors.New("boltstore: the file is not a bbolt database, or it is damaged")
)

// unavailable is an error that may go away.
type unavailable string

// Error implements error.
func (e unavailable) Error() string { return string(e) }

// Unwrap makes storage.ErrUnavailable match.
func (unavailable) Unwrap() error { return storage.ErrUnavailable }

// engineError says what an error of the engine means for the file at path, and what to do.
func engineError(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return ErrClosed
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG),
		errors.Is(err, bolterrors.ErrMaxSizeReached):
		return fmt.Errorf("%w: %s; make room in %s, or allow this user more: %w", ErrFull, path, filepath.Dir(path), err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission), errors.Is(err, bolterrors.ErrDatabaseReadOnly):
		return fmt.Errorf("%w: %s; mount its file system for writing, and give this user the right to write: %w",
			ErrReadOnly, path, err)
	default:
		return fmt.Errorf("boltstore: the database file %s: %w", path, err)
	}
}
