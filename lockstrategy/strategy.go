package lockstrategy

import (
	"context"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Strategy decides what happens when several requests use one session at the same time. It holds no state of its own
// about a request: that is in the [Session] it returns. A Strategy is safe for concurrent use.
type Strategy interface {
	// Load reads the session under key on behalf of one request. Where there is none, or an expired one, it returns a
	// Session that was not found, having written nothing.
	Load(ctx context.Context, backend *Backend, key string) (Session, error)

	// New returns the session under a key that this request has just drawn, or has not read. It makes no call.
	New(backend *Backend, key string) Session
}

// Session is one stored session as one request sees it. The store calls Commit any number of times, and Release exactly
// once, at the end of the request, whatever came before. Its methods may be called by several goroutines.
type Session interface {
	// Record returns the record as it was read or last committed, and whether there is one.
	Record() (storage.Record, bool)

	// Commit writes next in place of the session. The strategy chooses the condition, and sets next.CreatedAt. Where
	// next.Key is not the key of the session, the record moves there. Errors: [ErrSessionGone], [storage.ErrConflict], and
	// what the driver returns.
	Commit(ctx context.Context, next storage.Record) error

	// Touch writes no more of next than is new where its payload is the one that was read: the expiry. A session that was
	// changed or ended meanwhile is left as it is, without an error: who changed it has moved the expiry, too.
	Touch(ctx context.Context, next storage.Record) error

	// Delete removes the session, at once and whoever else uses it.
	Delete(ctx context.Context) error

	// Release gives back what the session holds. ctx is not cancelled with the request.
	Release(ctx context.Context) error
}
