package lockstrategy

import (
	"context"
	"errors"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/outcome"
	"github.com/scsdynamo/scsdynamo/storage"
)

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
		return b.follow(ctx, b.conditionally(ctx, condition, func() error { return b.Driver.Put(ctx, next, condition) }), "")
	case next.Ended(): // there is nothing to move
		err := b.end(ctx, storage.Record{Key: from, CreatedAt: next.CreatedAt}, "", condition)
		if err == nil && always {
			if err = b.Driver.Put(ctx, next, condition); err != nil {
				err = errors.Join(err, storage.ErrOutcomeUnknown) // it has ended under one of its keys
			}
		}
		return b.follow(ctx, err, next.Key)
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
	left := storage.Record{Key: from, CreatedAt: next.CreatedAt, Version: next.Version}
	err = b.end(ctx, left, next.Key, b.asOfNow(condition))
	if err != nil && !errors.Is(err, storage.ErrOutcomeUnknown) {
		b.takeBack(ctx, next)
	}
	return b.follow(ctx, err, "")
}

// takeBack removes a new session whose token nobody has, unless something else is stored there by the time the delete
// arrives. Where that fails, it expires.
func (b *Backend) takeBack(ctx context.Context, record storage.Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTimeout)
	defer cancel()
	_ = b.Driver.Delete(ctx, record.Key, storage.IfVersion(record.Version, b.Now()))
}

// End replaces a record by a tombstone if the condition holds for what is there. Its results are those of
// [Backend.Write]. successor is the key of the session that replaces it, empty where none does.
func (b *Backend) End(
	ctx context.Context, record storage.Record, successor string, condition storage.Condition,
) (inTheWay *storage.Record, err error) {
	return b.judge(b.end(ctx, record, successor, condition))
}

func (b *Backend) end(ctx context.Context, record storage.Record, successor string, condition storage.Condition) error {
	tombstone := ended.Tombstone(record, successor, b.Now())
	return b.conditionally(ctx, condition, func() error { return b.Driver.Put(ctx, tombstone, condition) })
}

// update changes a session. Its results are those of [Backend.Write].
func (b *Backend) update(
	ctx context.Context, key string, change storage.Change, condition storage.Condition,
) (inTheWay *storage.Record, err error) {
	write := func() error { return b.Driver.Update(ctx, key, change, condition) }
	return b.judge(b.conditionally(ctx, condition, write))
}

// deleteTries is how often a session may change, or be renewed, while it is being deleted, before it is deleted without
// a condition.
const deleteTries = 16

// Delete ends a session that was read, whatever has become of it since: where another request has changed it, or has
// renewed its token or moved it, it ends where it is then. record is what was read, a session or its tombstone, or has
// nothing but a key and a creation, for whatever is there. Where there is nothing, a tombstone is left: the write that
// has moved the session here may arrive once more.
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
		if isStored(record) {
			condition = storage.IfVersion(record.Version, now)
		}
		err := b.Driver.Put(ctx, ended.Tombstone(record, "", now), condition)
		var conflict *storage.ConflictError
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &conflict):
			return join(err, unknown)
		case conflict.Current == nil,
			(!conflict.Current.Ended() || ended.Arriving(*conflict.Current)) && conflict.Current.Expired(now):
			// What has expired, too: a write that was sent before and moves the expiry may still arrive.
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
