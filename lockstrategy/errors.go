package lockstrategy

import (
	"errors"
	"fmt"

	"github.com/scsdynamo/scsdynamo/storage"
)

var (
	// ErrSessionGone says that the session which this request read has since been deleted, or has expired. Nothing was
	// written: a commit never brings back a session that somebody ended.
	ErrSessionGone = errors.New("the session was ended while the request was running, and is not brought back")

	// ErrLockTimeout says that a request has waited for a session as long as it may, and that another one still has it.
	// It comes before the handler runs, except where a request that only reads, or that has released the session,
	// commits. Nothing was written.
	ErrLockTimeout = errors.New("another request has held the session for longer than this one may wait")

	// ErrTooManyWaiting says that as many requests wait for the session as may, so that this one has not waited. It
	// comes before the handler runs. Nothing was written. It also matches ErrLockTimeout.
	ErrTooManyWaiting error = errTooManyWaiting{}

	// ErrLockLost says that the lease on the session went to somebody else while the request was running, or was given
	// up because the request has held it for too long, or its client had gone. Nothing was written. It is the cause
	// with which the request's context is cancelled, and also matches storage.ErrConflict.
	ErrLockLost = fmt.Errorf("the lock on the session was lost while the request was running: %w", storage.ErrConflict)
)

type errTooManyWaiting struct{}

// Error implements error.
func (errTooManyWaiting) Error() string {
	return "too many other requests wait for the session already"
}

// Is matches ErrLockTimeout.
func (errTooManyWaiting) Is(target error) bool { return target == ErrLockTimeout }

// errConflict is a lost race, without the record that won it: errors travel to logs, and session data must not.
var errConflict = fmt.Errorf("another request changed the session while this one was running: %w", storage.ErrConflict)

// errNotMergeable does not say why a payload does not decode: a codec may quote it.
var errNotMergeable = fmt.Errorf(
	"%w, and the two cannot be merged: the session manager's codec does not decode both", errConflict)
