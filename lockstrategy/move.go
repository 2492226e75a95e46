package lockstrategy

import (
	"context"
	"errors"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/internal/mark"
	"github.com/scsdynamo/scsdynamo/internal/outcome"
	"github.com/scsdynamo/scsdynamo/storage"
)

// move takes a session from one key to another if the condition holds for it there, in three writes: an arrival under
// the new key, which is no session yet; a departure in place of the session, which decides; and the session in place of
// its arrival, which the next write makes up for if this process stops before that. What each leaves behind is in
// docs/decisions/0014-a-session-moves-in-three-writes.md.
func (b *Backend) move(
	ctx context.Context, from string, next storage.Record, condition storage.Condition, whatever bool,
) (inTheWay *storage.Record, err error) {
	// What others make of the session descends from the departure: where the response to that is lost, it is told by
	// them.
	departs := storage.NewVersion()
	next.Succeed(storage.Record{Version: departs, Ancestry: next.Ancestry})
	arrival, condition, err := b.announce(ctx, from, next, condition, whatever)
	if err != nil {
		return b.follow(ctx, err, next.Key)
	}
	condition = b.asOfNow(condition)
	err = b.conditionally(ctx, condition, func() error {
		departure := ended.Departure(from, arrival, b.Now())
		departure.Version = departs
		return b.Driver.Put(ctx, departure, condition)
	})
	if err == nil {
		// It has moved, whatever becomes of this.
		_ = b.Driver.Put(ctx, next, storage.IfVersion(arrival.Version, b.Now()))
		return nil, nil
	}
	if !errors.Is(err, storage.ErrOutcomeUnknown) { // else it may depart yet, and needs its arrival
		b.recall(ctx, from, arrival)
	}
	return b.follow(ctx, err, next.Key)
}

// recall replaces an arrival whose session will not depart by what a departure leaves. To leave nothing would let in a
// write from long ago that arrives late. Where that fails, the arrival stays, and means nothing.
func (b *Backend) recall(ctx context.Context, from string, arrival storage.Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTimeout)
	defer cancel()
	now := b.Now()
	origin := storage.Record{Key: from, CreatedAt: arrival.CreatedAt, Version: arrival.Version}
	back := ended.Departure(arrival.Key, origin, now)
	_ = b.Driver.Put(ctx, back, storage.IfVersion(arrival.Version, now))
}

// follow says what a conflict means for the session, as judge does. Where the session is gone from its key, it was
// ended, or another request has moved it: to where its departure says, or else to newKey, if there is one to look
// under.
func (b *Backend) follow(ctx context.Context, err error, newKey string) (inTheWay *storage.Record, _ error) {
	inTheWay, meaning := b.judge(err)
	if !errors.Is(meaning, ErrSessionGone) {
		return inTheWay, meaning
	}
	var conflict *storage.ConflictError
	if errors.As(err, &conflict) && conflict.Current != nil && ended.Destination(*conflict.Current) != "" {
		newKey = ended.Destination(*conflict.Current)
	}
	if newKey == "" {
		return nil, meaning
	}
	inTheWay, meaning = b.moved(ctx, newKey)
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

// announce stores the arrival of next, and returns it with the condition under which it may depart. Its errors are
// those of a write whose condition is on the record under from. whatever is whether a session, or the tombstone of one,
// gives way to the arrival, too.
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
			err = outcome.Known("the session stays where it was, as it could not be announced under its new key", err)
			return arrival, condition, err
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
		// What is there remains of another move, which may go on; or the arrival of the session under the old key needs
		// it, unless that is complete. An announced move stops where the session is stored once more under the old key,
		// in another version.
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
