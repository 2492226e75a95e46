package lockstrategy

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	// EventualThenStrongReads read eventually first, and strongly where that finds nothing or an expired session. Half the
	// cost for sessions that exist, one and a half for those that do not. They never miss a new session, but may still see
	// an old state of an existing one.
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

// Read returns the live record under key. It is the one place where the expiry of a session that is read by its key is
// judged: an expired record is not found.
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
	if err != nil || !found || record.Expired(b.Now()) {
		return storage.Record{}, false, err
	}
	return record, true, nil
}

// Write stores next if the condition holds for the record under from, which is next.Key or the key that the record is
// to leave. A conflict becomes ErrSessionGone or matches storage.ErrConflict, without the record in its way.
func (b *Backend) Write(ctx context.Context, from string, next storage.Record, condition storage.Condition) error {
	if from == next.Key {
		return b.judge(b.Driver.Put(ctx, next, condition))
	}
	mover, ok := b.Driver.(storage.Mover)
	if !ok {
		return fmt.Errorf("lockstrategy: driver %T cannot move a session to another key", b.Driver)
	}
	if next.CreatedAt.IsZero() {
		next.CreatedAt = next.UpdatedAt // of a record that does not say
	}
	err := b.judge(mover.Move(ctx, from, next, condition))
	if !errors.Is(err, ErrSessionGone) {
		return err
	}
	// Gone from its old key: deleted, or moved to the new one by another request.
	if _, moved, readErr := b.get(ctx, next.Key, storage.Strong); readErr != nil || moved {
		return errors.Join(readErr, errConflict)
	}
	return err
}

// judge says what a conflict means for the session.
func (b *Backend) judge(err error) error {
	var conflict *storage.ConflictError
	switch {
	case !errors.As(err, &conflict):
		return err
	case conflict.Current == nil || conflict.Current.Expired(b.Now()):
		return ErrSessionGone
	default:
		return errConflict
	}
}
