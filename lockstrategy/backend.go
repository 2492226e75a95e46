package lockstrategy

import (
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/outcome"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Reads says how fresh the reads of sessions are.
type Reads uint8

const (
	// StrongReads see every acknowledged commit: one strongly consistent read, 1 read unit per 4 KB on DynamoDB.
	StrongReads Reads = iota
	// EventualReads cost half, and may miss what was committed in the last moments: a user may find himself logged out
	// for a request right after logging in, and logged in for a moment after logging out.
	EventualReads
	// EventualThenStrongReads read eventually first, and strongly where that finds nothing or an expired session. Half
	// the cost for sessions that exist, one and a half for those that do not. They never miss a new session, but may
	// still see an old state of an existing one.
	EventualThenStrongReads
)

// Backend is what strategies work with.
type Backend struct {
	// Driver keeps the records.
	Driver storage.Driver
	// Reads says how fresh reads are.
	Reads Reads
	// Now is the clock by which expiry is judged.
	Now func() time.Time
}

// Read returns the live record under key. It is the one place where it is judged whether a session that is read by its
// key is live: an expired record is not found, and neither is a tombstone, which is returned all the same.
func (b *Backend) Read(ctx context.Context, key string) (storage.Record, bool, error) {
	consistency := storage.Strong
	if b.Reads != StrongReads {
		consistency = storage.Eventual
	}
	record, found, err := b.get(ctx, key, consistency)
	if err == nil && !found && b.Reads == EventualThenStrongReads {
		return b.get(ctx, key, storage.Strong)
	}
	return record, found, err
}

func (b *Backend) get(ctx context.Context, key string, consistency storage.Consistency) (storage.Record, bool, error) {
	record, found, err := b.Driver.Get(ctx, key, consistency)
	switch now := b.Now(); {
	case err == nil && found && ended.Arriving(record):
		return b.arrived(ctx, record)
	case err != nil || !found || !record.Ended() && record.Expired(now):
		return storage.Record{}, false, err
	default:
		return record, record.Live(now), nil
	}
}

// Write stores next if the condition holds for the record under from, which is next.Key or the key that the record is
// to leave. Where it does not hold, the error is ErrSessionGone, or one that matches storage.ErrConflict and comes with
// the record that is in the way: under next.Key, if another request has moved the session there. The record is not in
// the error, which may end in a log. Where next has expired when it is written, the session ends, and nothing of it
// stays.
func (b *Backend) Write(
	ctx context.Context, from string, next storage.Record, condition storage.Condition,
) (inTheWay *storage.Record, err error) {
	if next.Ended() {
		next = ended.Tombstone(storage.Record{Key: next.Key, CreatedAt: next.CreatedAt}, "", next.UpdatedAt)
	}
	always := condition.Kind == storage.KindAlways
	switch {
	case from == next.Key:
		return b.judge(b.conditionally(ctx, condition, func() error { return b.Driver.Put(ctx, next, condition) }))
	case next.Ended(): // there is nothing to move
		inTheWay, err = b.End(ctx, storage.Record{Key: from, CreatedAt: next.CreatedAt}, "", condition)
		if err == nil && always {
			if err = b.Driver.Put(ctx, next, condition); err != nil {
				err = errors.Join(err, storage.ErrOutcomeUnknown) // it has ended under one of its keys
			}
		}
		return b.elsewhere(ctx, next.Key, inTheWay, err)
	}
	if next.CreatedAt.IsZero() {
		next.CreatedAt = next.UpdatedAt // of a record that does not say
	}
	if always {
		return nil, b.moveAny(ctx, from, next)
	}
	return b.move(ctx, from, next, condition, false)
}

// Renew stores next, the session of a new token, and ends the record under from if the condition holds for it, as
// [Backend.End] does. Where that fails, the new session is taken back. If the process dies in between, the old session
// is as it was, and nobody has the token of the new one.
func (b *Backend) Renew(
	ctx context.Context, from string, next storage.Record, condition storage.Condition,
) (inTheWay *storage.Record, err error) {
	switch err := b.Driver.Put(ctx, next, storage.IfAbsent(next.UpdatedAt)); {
	case errors.Is(err, storage.ErrOutcomeUnknown):
		b.takeBack(ctx, next)
		return nil, outcome.Known("the session keeps its token, as it could not be stored under the new one", err)
	case errors.Is(err, storage.ErrConflict):
		return nil, errConflict
	case err != nil:
		return nil, err
	}
	inTheWay, err = b.End(ctx, storage.Record{Key: from, CreatedAt: next.CreatedAt, Version: next.Version}, next.Key, b.asOfNow(condition))
	if err != nil && !errors.Is(err, storage.ErrOutcomeUnknown) {
		b.takeBack(ctx, next)
	}
	return inTheWay, err
}

// End puts a tombstone in the place of a record if the condition holds for what is there. Its results are those of
// [Backend.Write]. successor is the key of the session that replaces it, empty where none does.
func (b *Backend) End(
	ctx context.Context, record storage.Record, successor string, condition storage.Condition,
) (inTheWay *storage.Record, err error) {
	tombstone := ended.Tombstone(record, successor, b.Now())
	return b.judge(b.conditionally(ctx, condition, func() error { return b.Driver.Put(ctx, tombstone, condition) }))
}

// update changes a session. Its results are those of [Backend.Write].
func (b *Backend) update(
	ctx context.Context, key string, change storage.Change, condition storage.Condition,
) (inTheWay *storage.Record, err error) {
	return b.judge(b.conditionally(ctx, condition, func() error { return b.Driver.Update(ctx, key, change, condition) }))
}

// Delete ends a session that was read, whatever has become of it since: where another request has changed it, or has
// renewed its token or moved it, it ends all the same, where it is then. record is what was read, a session or its tombstone, or
// has nothing but a key and a creation, for whatever is there. Where there is nothing, a tombstone is left: the session may
// have been moved, and the write that has put it here may arrive once more.
func (b *Backend) Delete(ctx context.Context, record storage.Record) error {
	var unknown error // an earlier write may have ended the session although it failed
	for range deleteTries {
		if session, _, ok := ended.Arrived(record); ok { // which ends, whether it has left its old key or will
			session.Version = record.Version
			record = session
		}
		if record.Ended() {
			successor := ended.Successor(record) + ended.Destination(record)
			if successor == "" {
				return nil
			}
			next, found, err := b.Driver.Get(ctx, successor, storage.Strong)
			switch {
			case err != nil:
				return join(err, unknown)
			case !found:
				return nil
			}
			record = next
			continue
		}
		now := b.Now()
		condition := storage.IfAbsent(now)
		if record.Version != "" {
			condition = storage.IfVersion(record.Version, now)
		}
		err := b.Driver.Put(ctx, ended.Tombstone(record, "", now), condition)
		var conflict *storage.ConflictError
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &conflict):
			return join(err, unknown)
		case conflict.Current == nil, (!conflict.Current.Ended() || ended.Arriving(*conflict.Current)) && conflict.Current.Expired(now):
			// What has expired, too: a write that was sent before is on its way, perhaps, and moves the expiry.
			record = storage.Record{Key: record.Key, CreatedAt: record.CreatedAt}
		default:
			record = *conflict.Current
		}
		if unknown == nil {
			unknown = unknownOf(err)
		}
	}
	if _, err := b.End(ctx, record, "", storage.Always()); err != nil {
		return join(err, unknown)
	}
	return nil
}

// deleteTries is how often a session may change, or be renewed, while it is being deleted, before nothing is asked any
// more.
const deleteTries = 16

const takeBackTimeout = time.Second

// takeBack removes a new session of which nobody has the token, where nothing else is stored there by the time the delete
// arrives. Where that fails, it expires.
func (b *Backend) takeBack(ctx context.Context, record storage.Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTimeout)
	defer cancel()
	_ = b.Driver.Delete(ctx, record.Key, storage.IfVersion(record.Version, b.Now()))
}

// moved says what it means that a session is gone from its old key: it was deleted, or another request has moved it to
// the new one. Then it is in the way there.
func (b *Backend) moved(ctx context.Context, newKey string) (inTheWay *storage.Record, err error) {
	record, found, err := b.get(ctx, newKey, storage.Strong)
	switch {
	case err != nil:
		return nil, errors.Join(err, errConflict)
	case found:
		return &record, errConflict
	default:
		return nil, ErrSessionGone
	}
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

// lossOf says what an error that judge returned means for who had the lease. Nil where it does not mean its loss.
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
