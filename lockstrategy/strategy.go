package lockstrategy

import (
	"context"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Strategy decides what happens when several requests use one session at the same time. What it keeps about one request
// is in the [Session] it returns; what it keeps beside that is about this process, such as the requests that wait here
// for a session. A Strategy is safe for concurrent use.
//
// A strategy of your own is best made of [Base]: see the example.
type Strategy interface {
	// Load reads the session under key on behalf of one request. Where there is none, or an expired one, it returns a
	// Session that was not found, having written nothing. Errors: what the driver returns, and those of the strategy,
	// such as [ErrLockTimeout].
	Load(ctx context.Context, request *Request, key string) (Session, error)

	// New returns the session of a record that this request has read otherwise, as in a list; or, where the record has
	// nothing but a key, one that is not stored yet. It makes no call.
	New(request *Request, record storage.Record) Session
}

// Validator is a Strategy that is asked, when a store is made with it, whether it can work.
type Validator interface {
	Validate(backend *Backend) error
}

// Session is one stored session as one request sees it. Its methods may be called by several goroutines.
type Session interface {
	// Record returns the record as it was read or last committed, and whether there is a session. Where there is none,
	// the record may be the tombstone of one that has ended, or have nothing but the key.
	Record() (storage.Record, bool)

	// Commit writes next in place of the session; a request may do so any number of times. The strategy chooses the
	// condition, and sets next.CreatedAt, next.Ancestry and next.Lease. Where next.Key is not the key of the session,
	// the record moves there. Errors: [ErrSessionGone], [ErrLockLost], [storage.ErrConflict], and what the driver
	// returns.
	Commit(ctx context.Context, next storage.Record) error

	// Renew is Commit for a session that gets a new token: next is stored under its key, another one, and what is
	// stored under the old key ends, with a tombstone that names the new one. Where it fails, the old session is as it
	// was, unless the error matches [storage.ErrOutcomeUnknown]. Errors: as Commit.
	Renew(ctx context.Context, next storage.Record) error

	// Touch applies the change, which moves the expiry, where the payload is the one that was read, as with an idle
	// timeout in every request that changes nothing. A session that was changed meanwhile is left as it is, without an
	// error: whoever changed it has moved the expiry, too. One that has ended is [ErrSessionGone].
	Touch(ctx context.Context, change storage.Change) error

	// Delete ends the session at once, whatever other requests use it.
	Delete(ctx context.Context) error

	// Release gives back what the session holds. The store calls it once the response has begun, and again at the end
	// of the request, however that ends; ctx is not cancelled with the request. A Commit may still follow the first.
	Release(ctx context.Context) error
}
