package lockstrategy

import (
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Reads says how fresh the reads of sessions are.
type Reads uint8

const (
	// StrongReads see every acknowledged commit: one strongly consistent read, 1 read unit per 4 KB on DynamoDB.
	StrongReads Reads = iota
	// EventualReads cost half, and may miss what was committed in the last moments: a user may be logged out for a
	// request right after logging in, and logged in for a moment after logging out.
	EventualReads
	// EventualThenStrongReads read eventually first, and strongly where that finds nothing or an expired session. They
	// cost half for sessions that exist, and one and a half for those that do not. They never miss a new session, but
	// may still read an old state of an existing one.
	EventualThenStrongReads
)

// Backend is what strategies work with: a driver, and what the records in it mean. Its methods are what a strategy may
// do with a session, whatever else happens to the session meanwhile.
type Backend struct {
	// Driver keeps the records.
	Driver storage.Driver
	// Reads says how fresh reads are.
	Reads Reads
	// Now is the clock by which expiry is judged.
	Now func() time.Time
}

// sessionKey names a session: strategies may be shared by stores.
type sessionKey struct {
	backend *Backend
	key     string
}

// takeBackTimeout is how long the removal of what a failed write has left may take.
const takeBackTimeout = time.Second

// isStored reports whether the record was read or written: one that has nothing but a key stands for a session that is
// not stored yet.
func isStored(record storage.Record) bool { return record.Version != "" }

// asOfNow returns a condition on a live session that was made before another write, with the present time: the session
// may have expired during that write.
func (b *Backend) asOfNow(condition storage.Condition) storage.Condition {
	switch condition.Kind {
	case storage.KindLive, storage.KindVersion, storage.KindVersionAndLease:
		condition.At = b.Now()
	}
	return condition
}

// judge says what a conflict means for the session.
func (b *Backend) judge(err error) (inTheWay *storage.Record, _ error) {
	var conflict *storage.ConflictError
	if !errors.As(err, &conflict) {
		return nil, err
	}
	meaning := errConflict
	if conflict.Current == nil || !conflict.Current.Live(b.Now()) {
		meaning = ErrSessionGone
	} else {
		inTheWay = conflict.Current
	}
	return inTheWay, join(meaning, unknownOf(err))
}

// lossOf says what an error of judge means for the former holder of a lease. It is nil where the lease is not lost.
func lossOf(err error) error {
	switch {
	case errors.Is(err, ErrSessionGone):
		return ErrSessionGone
	case errors.Is(err, storage.ErrConflict):
		return ErrLockLost
	default:
		return nil
	}
}

// unknownOf returns ErrOutcomeUnknown where err matches it.
func unknownOf(err error) error {
	if errors.Is(err, storage.ErrOutcomeUnknown) {
		return storage.ErrOutcomeUnknown
	}
	return nil
}

// join is errors.Join for errors of which the second is mostly nil: then the first is returned as it is.
func join(err, unknown error) error {
	if unknown == nil {
		return err
	}
	return errors.Join(err, unknown)
}
