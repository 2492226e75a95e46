package sessionstore

import (
	"errors"
	"fmt"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// The errors that an application meets. Those of the storage and of the lock strategy are here, too.
var (
	// ErrConflict says that another request has changed the session since this one read it. Nothing was written.
	ErrConflict = storage.ErrConflict

	// ErrOutcomeUnknown says that it cannot be known whether the session was written: no answer came. Read it before
	// anything is done again.
	ErrOutcomeUnknown = storage.ErrOutcomeUnknown

	// ErrUnavailable says that the storage could not be reached, or failed. The same request may succeed later.
	ErrUnavailable = storage.ErrUnavailable

	// ErrThrottled says that the storage has too many requests. It matches ErrUnavailable.
	ErrThrottled = storage.ErrThrottled

	// ErrTooLarge says that the session is larger than the storage can hold. Nothing was written.
	ErrTooLarge = storage.ErrTooLarge

	// ErrCorrupt says that what is stored for the session cannot be read, or does not open with the secrets.
	ErrCorrupt = storage.ErrCorrupt

	// ErrSessionGone says that the session was deleted, or expired, while the request was running. Nothing was written.
	ErrSessionGone = lockstrategy.ErrSessionGone

	// ErrLockTimeout says that a request has waited for its session as long as [lockstrategy.Lease] allows.
	ErrLockTimeout = lockstrategy.ErrLockTimeout

	// ErrTooManyWaiting says that as many requests of this process wait for the session as may. It matches
	// ErrLockTimeout.
	ErrTooManyWaiting = lockstrategy.ErrTooManyWaiting

	// ErrLockLost says that somebody else got the lock on the session while the request was running. Nothing was
	// written. It matches [storage.ErrConflict], and is the cause with which the request's context may have been
	// cancelled.
	ErrLockLost = lockstrategy.ErrLockLost

	// ErrInvalidToken says that a session cannot be committed under this token, because it is empty, too long, not
	// valid UTF-8, or reserved. The tokens that scs draws are valid.
	ErrInvalidToken = fmt.Errorf("sessionstore: a token must have 1 to %d bytes of valid UTF-8 without NUL, and must "+
		"not begin with %q",
		maxTokenBytes, storage.ReservedPrefix)

	// ErrScopeEnded says that a commit came after the end of the request that it belongs to, as from a goroutine that
	// outlived its handler. Nothing was written.
	ErrScopeEnded = errors.New("sessionstore: commit after the end of the request; commit before the handler returns, " +
		"or load the session anew in a scope of its own (Store.Begin)")

	// ErrTokenRenewed says that the session was renewed by another request a moment ago, and that this one, which came
	// with the old token, does not begin a new session in its place: the cookie of that would take the place of the
	// renewed one. It is said for 10 seconds after a renewal. Nothing was written. It matches [ErrSessionGone].
	ErrTokenRenewed = fmt.Errorf("the session has got a new token a moment ago; send the request again with the new "+
		"cookie: %w",
		ErrSessionGone)

	// ErrNotEncoded says that the session manager's codec cannot encode the values of the session. Nothing was written.
	ErrNotEncoded = errors.New("sessionstore: the session manager's codec cannot encode the session's values; with " +
		"scs.GobCodec, call gob.Register with a value of each type of your own, once, before the first request")

	// ErrSessionsLeft says that [Store.DeleteAll] has left what it cannot take for its own.
	ErrSessionsLeft = errors.New("sessionstore: sessions were left that may be another application's: they are sealed " +
		"with a secret " +
		"that is not given, or one of the two is without a secret, or they are damaged, or no sessions at all; delete " +
		"them with the " +
		"secret with which they were stored, or one by one (scsdynamo sessions delete), or leave them to their expiry")

	// ErrNotShown says that a session which scs's Iterate has shown outside of a request scope is not there under the
	// token that scs hands back. With HashTokenInStore that is so for all of them. Nothing was written.
	ErrNotShown = errors.New("sessionstore: the session that Iterate shows is not there: it has ended meanwhile, or " +
		"the session manager " +
		"has HashTokenInStore, with which scs ends and commits what Iterate shows in a scope alone; call Iterate with the " +
		"context of " +
		"Store.Begin, or use Store.Sessions and Store.Delete")
)
