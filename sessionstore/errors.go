package sessionstore

import (
	"errors"
	"fmt"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

var (
	// ErrSessionGone says that the session was deleted, or expired, while the request was running. Nothing was written.
	ErrSessionGone = lockstrategy.ErrSessionGone

	// ErrLockTimeout says that a request has waited for its session as long as [lockstrategy.Lease] allows.
	ErrLockTimeout = lockstrategy.ErrLockTimeout

	// ErrLockLost says that somebody else got the lock on the session while the request was running. Nothing was written.
	// It matches [storage.ErrConflict], and is the cause with which the request's context may have been cancelled.
	ErrLockLost = lockstrategy.ErrLockLost

	// ErrInvalidToken says that a session cannot be committed under this token, because it is empty, too long, not
	// valid UTF-8, or reserved. The tokens that scs draws are valid.
	ErrInvalidToken = fmt.Errorf("sessionstore: a token must have 1 to %d bytes of valid UTF-8 without NUL, and must not begin with %q",
		MaxTokenBytes, storage.ReservedPrefix)

	// ErrScopeEnded says that a commit came after the end of the request that it belongs to, as from a goroutine that
	// outlived its handler. Nothing was written.
	ErrScopeEnded = errors.New("sessionstore: commit after the end of the request; commit before the handler returns, " +
		"or load the session anew in a scope of its own (Store.Begin)")

	// ErrNotIterable says that the driver cannot list sessions.
	ErrNotIterable = errors.New("sessionstore: this driver cannot list sessions: it has no storage.Scanner")
)
