package lockstrategy

import (
	"context"
	"errors"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/mark"
	"github.com/scsdynamo/scsdynamo/internal/outcome"
	"github.com/scsdynamo/scsdynamo/storage"
)

// moveTries is how often a move begins anew that finds the remains of other moves under the new key, and how often one
// without a condition does that is overtaken.
const moveTries = 8

// move takes a session from one key to another if the condition holds for it there, in three writes: an arrival under the
// new key, which is no session yet; a departure in place of the session, which decides; and the session in place of its
// arrival, which the next write makes up for where this process does not come to it. What each leaves behind is in
// docs/decisions/0014-a-session-moves-in-three-writes.md.
func (b *Backend) move(
	ctx context.Context, from string, next storage.Record, condition storage.Condition, whatever bool,
) (inTheWay *storage.Record, err error) {
	arrival, condition, err := b.announce(ctx, from, next, condition, whatever)
	if err != nil {
		inTheWay, err = b.judge(err)
		return b.elsewhere(ctx, next.Key, inTheWay, err)
	}
	condition = b.asOfNow(condition)
	err = b.conditionally(ctx, condition, func() error {
		return b.Driver.Put(ctx, ended.Departure(from, arrival, b.Now()), condition)
	})
	if err == nil {
		// It has moved, whatever becomes of this.
		_ = b.Driver.Put(ctx, next, storage.IfVersion(arrival.Version, b.Now()))
		return nil, nil
	}
	if !errors.Is(err, storage.ErrOutcomeUnknown) { // else it may depart yet, and needs its arrival
		b.recall(ctx, from, arrival)
	}
	inTheWay, err = b.judge(err)
	return b.elsewhere(ctx, next.Key, inTheWay, err)
}

// asOfNow returns a condition on a live session that was made before another write, with the instant of now: the session may
// have expired during that write.
func (b *Backend) asOfNow(condition storage.Condition) storage.Condition {
	switch condition.Kind {
	case storage.KindLive, storage.KindVersion, storage.KindVersionAndLease:
		condition.At = b.Now()
	}
	return condition
}

// recall puts what a departure leaves in the place of an arrival for which there will be none. Nothing at all would let in what
// was stored there long ago, and arrives late. Where that fails, the arrival stays, and means nothing.
func (b *Backend) recall(ctx context.Context, from string, arrival storage.Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTimeout)
	defer cancel()
	now := b.Now()
	back := ended.Departure(arrival.Key, storage.Record{Key: from, CreatedAt: arrival.CreatedAt, Version: arrival.Version}, now)
	_ = b.Driver.Put(ctx, back, storage.IfVersion(arrival.Version, now))
}

// elsewhere says what it means that the condition on the record under the old key of a session did not hold. Where the
// session is gone from there, it was ended, or another request has moved it to the new key.
func (b *Backend) elsewhere(
	ctx context.Context, newKey string, inTheWay *storage.Record, err error,
) (*storage.Record, error) {
	if !errors.Is(err, ErrSessionGone) {
		return inTheWay, err
	}
	inTheWay, meaning := b.moved(ctx, newKey)
	return inTheWay, join(meaning, unknownOf(err))
}

// moveAny is move without a condition: of the session that is there, as often as there is another one.
func (b *Backend) moveAny(ctx context.Context, from string, next storage.Record) error {
	for range moveTries {
		record, found, err := b.get(ctx, from, storage.Strong)
		switch {
		case err != nil:
			return err
		case !found:
			return b.Driver.Put(ctx, next, storage.Always())
		}
		_, err = b.move(ctx, from, next, storage.IfVersion(record.Version, b.Now()), true)
		if !errors.Is(err, storage.ErrConflict) && !errors.Is(err, ErrSessionGone) {
			return err
		}
	}
	return errConflict
}

// announce stores the arrival of next, and returns it with the condition under which it may depart. Its errors are those of
// a write of which the condition is on the record under from. whatever is whether also a session, or the tombstone of one,
// gives way to the arrival.
func (b *Backend) announce(
	ctx context.Context, from string, next storage.Record, condition storage.Condition, whatever bool,
) (arrival storage.Record, _ storage.Condition, _ error) {
	free := storage.IfAbsent(b.Now())
	for range moveTries {
		arrival = ended.Arrival(next, from)
		err := b.Driver.Put(ctx, arrival, free)
		var conflict *storage.ConflictError
		switch {
		case err == nil:
			return arrival, condition, nil
		case errors.Is(err, storage.ErrOutcomeUnknown):
			b.recall(ctx, from, arrival)
			return arrival, condition, outcome.Known("the session stays where it was, as it could not be announced under its new key", err)
		case !errors.As(err, &conflict):
			return arrival, condition, err
		}
		there, now := conflict.Current, b.Now()
		switch {
		case there == nil || there.Expired(now):
			free = storage.IfAbsent(now)
			continue
		case !whatever && !ended.Arriving(*there) && ended.Destination(*there) == "":
			return arrival, condition, err
		}
		// The remains of another move, which may go on; or what the arrival of the session under the old key needs, unless that is
		// complete. An announced move does not go on where the session is stored once more under the old key, in another version.
		record, found, err := b.complete(ctx, from)
		switch {
		case err != nil:
			return arrival, condition, err
		case !found || !condition.Holds(&record):
			return arrival, condition, conflictWith(record, found)
		}
		if _, origin, ok := ended.Arrived(*there); ok && origin == from {
			if condition, err = b.reissue(ctx, record, condition); err != nil {
				return arrival, condition, err
			}
		}
		free = storage.IfVersion(there.Version, now)
	}
	return arrival, condition, errConflict
}

// reissue stores a record once more under another version, and returns the condition that holds for it then.
func (b *Backend) reissue(
	ctx context.Context, record storage.Record, condition storage.Condition,
) (storage.Condition, error) {
	record.Succeed(record)
	record.Version = mark.NewVersion(mark.Of(record))
	err := b.Driver.Put(ctx, record, condition)
	if errors.Is(err, storage.ErrOutcomeUnknown) { // which says nothing of what is to be stored
		err = outcome.Known("the session stays where it was, as it could not be prepared to move", err)
	}
	condition.Version = record.Version
	return condition, err
}

// arrived returns the session of an arrival that was found under its key, if it has left its old key. It is there then, as
// nobody replaces its arrival but by it; the next write under the key stores it, as [Backend.conditionally] says.
func (b *Backend) arrived(ctx context.Context, arrival storage.Record) (storage.Record, bool, error) {
	session, from, ok := ended.Arrived(arrival)
	if !ok || !session.Live(b.Now()) {
		return storage.Record{}, false, nil
	}
	departure, found, err := b.Driver.Get(ctx, from, storage.Strong)
	if err != nil || !found || !ended.Departed(departure, arrival) {
		return storage.Record{}, false, err
	}
	return session, true, nil
}

// Settled returns the session of a record that was read otherwise than by [Backend.Read], such as from a scan, and whether it
// is live: that of an arrival, if it has left its old key.
func (b *Backend) Settled(ctx context.Context, record storage.Record) (storage.Record, bool, error) {
	if ended.Arriving(record) {
		return b.arrived(ctx, record)
	}
	return record, record.Live(b.Now()), nil
}

// complete returns the session under a key, as get does, and stores it there where it has arrived by a move that did not come
// to that.
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
		return storage.Record{}, false, outcome.Known("a session that was moved could not be stored under its new key", err)
	case conflict.Current == nil || ended.Arriving(*conflict.Current):
		return storage.Record{}, false, nil
	default: // others have stored it, or ended it
		return *conflict.Current, conflict.Current.Live(b.Now()), nil
	}
}

// conditionally makes a write under a condition on a record. Where it finds a session that was moved, and that the process
// which has moved it has not stored, it stores it, and makes the write again if the condition holds for it. A conflict
// never carries an arrival.
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
