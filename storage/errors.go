package storage

import (
	"errors"
	"fmt"
)

var (
	// ErrConflict is matched by every [*ConflictError].
	ErrConflict = errors.New("storage: the condition of the write does not hold")

	// ErrOutcomeUnknown says that a write may have been applied, or may be yet: no answer came, and what is stored
	// does not tell. Only drivers say so, and only of what cannot be known: an error of a write that does not match it
	// means that nothing was written, and that this write never will be. Whoever meets it must read before writing
	// again.
	ErrOutcomeUnknown = errors.New("storage: it is not known whether the write was applied")

	// ErrTooLarge is matched by every [*TooLargeError].
	ErrTooLarge = errors.New("storage: the record is too large")

	// ErrUnavailable says that the storage service could not be reached, failed, has no room, or refused the request
	// because it has too many, or because another one was in the way. The same request may succeed later.
	ErrUnavailable = errors.New("storage: the storage service is not available")

	// ErrThrottled says that the storage service refused the request because it has too many. It also matches
	// ErrUnavailable. Who can wait should send fewer.
	ErrThrottled = fmt.Errorf("%w: it has too many requests", ErrUnavailable)

	// ErrInvalidKey says that the driver cannot hold a record under this key: it is empty, too long, not valid UTF-8,
	// or has a NUL in it. Nothing was sent.
	ErrInvalidKey = errors.New("storage: the key is empty, too long, not valid UTF-8, or has a NUL in it")

	// ErrCorrupt is matched by every [*CorruptError].
	ErrCorrupt = errors.New("storage: the record cannot be read")
)

// ConflictError says that the condition of a write did not hold, and nothing was written. Where an earlier attempt of
// the same write may have been applied all the same, the error matches ErrOutcomeUnknown, too.
type ConflictError struct {
	// Current is the record that is stored, nil where there is none. It is the caller's to keep.
	Current *Record
}

// Error implements error. It says nothing of the record.
func (e *ConflictError) Error() string {
	if e.Current == nil {
		return ErrConflict.Error() + ": there is no record"
	}
	return ErrConflict.Error() + ": the stored record is another one"
}

// Is matches ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// TooLargeError says that a record exceeds what the driver can store. Nothing was written, and the record that was
// stored before is intact.
type TooLargeError struct {
	// Size is the size of the record as the driver counts it, in bytes; Limit is the most it can store.
	Size, Limit int
}

// Error implements error.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%v: %d bytes, at most %d can be stored; keep large values elsewhere and their keys in the session",
		ErrTooLarge, e.Size, e.Limit)
}

// Is matches ErrTooLarge.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }

// CorruptError says that there is a record which this driver did not write, or which was damaged.
type CorruptError struct {
	// Part names the part of the record that is wrong, such as an attribute of the item.
	Part string
	// Problem says what is wrong with it.
	Problem string
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%v: %s %s", ErrCorrupt, e.Part, e.Problem)
}

// Is matches ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
