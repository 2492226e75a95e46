package lockstrategy

import (
	"context"
	"errors"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/outcome"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Read returns the live record under key. Whether a session that is read by its key is live is judged here and nowhere
// else: an expired record is not found, and neither is a tombstone, which is returned all the same.
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
	case err != nil || !found:
		return storage.Record{}, false, err
	case ended.Arriving(record):
		return b.arrived(ctx, record)
	case !record.Ended() && record.Expired(now):
		return storage.Record{}, false, nil
	default:
		return record, record.Live(now), nil
	}
}

// Settled returns the session of a record that was read otherwise than by [Backend.Read], such as from a scan, and
// whether it is live: that of an arrival, if it has left its old key.
func (b *Backend) Settled(ctx context.Context, record storage.Record) (storage.Record, bool, error) {
	if ended.Arriving(record) {
		return b.arrived(ctx, record)
	}
	return record, record.Live(b.Now()), nil
}

// arrived returns the session of an arrival that was found under its key, if it has left its old key. Then it is there:
// nobody replaces its arrival by anything else, and the next write under the key stores it, as [Backend.conditionally]
// says.
func (b *Backend) arrived(ctx context.Context, arrival storage.Record) (storage.Record, bool, error) {
	for range moveTries {
		session, from, ok := ended.Arrived(arrival)
		if !ok || !session.Live(b.Now()) {
			return storage.Record{}, false, nil
		}
		departure, found, err := b.Driver.Get(ctx, from, storage.Strong)
		switch {
		case err != nil:
			return storage.Record{}, false, err
		case found && ended.Departed(departure, arrival):
			return session, true, nil
		}
		// Between the two reads, the session may have been stored here, and have moved on.
		there, found, err := b.Driver.Get(ctx, arrival.Key, storage.Strong)
		switch {
		case err != nil || !found:
			return storage.Record{}, false, err
		case there.Version == arrival.Version: // the session may be where it comes from
			return arrival, false, nil
		case !ended.Arriving(there):
			return there, there.Live(b.Now()), nil
		}
		arrival = there
	}
	return storage.Record{}, false, nil
}

// moveTries is how often a session is followed that others move; how often a move starts again because the remains of
// other moves are under the new key; and how often one without a condition does because it was overtaken.
const moveTries = 8

// moved says what it means that a session is gone from its old key: it was deleted, or other requests have moved it to
// the new one, and on. Then it is in the way there.
func (b *Backend) moved(ctx context.Context, newKey string) (inTheWay *storage.Record, err error) {
	for range moveTries {
		record, found, err := b.get(ctx, newKey, storage.Strong)
		switch {
		case err != nil:
			return nil, errors.Join(err, errConflict)
		case found:
			return &record, errConflict
		}
		if newKey = ended.Elsewhere(record); newKey == "" {
			return nil, ErrSessionGone
		}
	}
	return nil, errConflict
}

// complete returns the session under a key, as get does, and stores it there where it has arrived by a move that
// stopped before that.
func (b *Backend) complete(ctx context.Context, key string) (storage.Record, bool, error) {
	record, found, err := b.Driver.Get(ctx, key, storage.Strong)
	if err != nil || !found || !ended.Arriving(record) {
		return record, found && record.Live(b.Now()), err
	}
	session, found, err := b.arrived(ctx, record)
	if err != nil || !found {
		return storage.Record{}, false, err
	}
	session.UpdatedAt = b.Now()
	err = b.Driver.Put(ctx, session, storage.IfVersion(record.Version, session.UpdatedAt))
	var conflict *storage.ConflictError
	switch {
	case err == nil:
		return session, true, nil
	case errors.Is(err, storage.ErrOutcomeUnknown) || !errors.As(err, &conflict):
		err = outcome.Known("a session that was moved could not be stored under its new key", err)
		return storage.Record{}, false, err
	case conflict.Current == nil || ended.Arriving(*conflict.Current):
		return storage.Record{}, false, nil
	default: // others have stored it, or ended it
		return *conflict.Current, conflict.Current.Live(b.Now()), nil
	}
}

// conditionally makes a write under a condition on a record. Where it finds a session that was moved, but not stored
// under its new key by the process that moved it, it stores it, and makes the write again if the condition holds for
// it. A conflict never carries an arrival.
func (b *Backend) conditionally(ctx context.Context, condition storage.Condition, write func() error) error {
	err := write()
	var conflict *storage.ConflictError
	if !errors.As(err, &conflict) || conflict.Current == nil || !ended.Arriving(*conflict.Current) {
		return err
	}
	unknown := unknownOf(err)
	session, found, err := b.complete(ctx, conflict.Current.Key)
	switch {
	case err != nil:
		return join(err, unknown)
	case !found || !condition.Holds(&session):
		return join(conflictWith(session, found), unknown)
	}
	if err := write(); err != nil {
		return join(err, unknown)
	}
	return nil
}

// conflictWith is a conflict with a session, or with none.
func conflictWith(record storage.Record, found bool) error {
	if !found {
		return &storage.ConflictError{}
	}
	return &storage.ConflictError{Current: &record}
}
