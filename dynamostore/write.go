package dynamostore

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// decideTimeout bounds the read that decides what became of a write.
const decideTimeout = time.Second

// recognise reports whether what is stored tells that a write was applied. current is nil where there is no item. open is
// whether there was an attempt that may have been applied.
type recognise func(current *storage.Record, open bool) bool

// ownVersion recognises a Put by the version that was drawn for it, also where others have written over it since, each
// having read what is stored.
func ownVersion(version string) recognise {
	return func(current *storage.Record, _ bool) bool { return current != nil && current.Descends(version) }
}

// ownLease recognises an Acquire by the ID that no other acquisition has.
func ownLease(id string) recognise {
	return func(current *storage.Record, _ bool) bool { return current != nil && current.Lease.ID == id }
}

// ownChange recognises an Update by what it sets. None of that is drawn for it alone, so it does only after an attempt that
// may have been applied: without one, what is found is the work of others.
func ownChange(change storage.Change) recognise {
	return func(current *storage.Record, open bool) bool {
		if !open || current == nil || !change.ExpiresAt.IsZero() && !current.ExpiresAt.Equal(change.ExpiresAt) {
			return false
		}
		if !change.UpdatedAt.IsZero() {
			// The instant of the change, to the nanosecond, tells it from others. Acquisitions leave it as it is, so a lease
			// that the change freed may be somebody else's by now.
			return current.UpdatedAt.Equal(change.UpdatedAt) &&
				(change.Lease == nil || change.Lease.Free() || current.Lease.ID == change.Lease.ID)
		}
		switch {
		case change.Lease == nil:
			return false
		case change.Lease.Free():
			// That nobody has the lease is all that a release is for, and it is no harm if it was not this one: a lease that
			// was acquired since is not free, and so is never taken for released.
			return current.Lease.Free()
		default:
			// Only the holder sets this ID, and the end tells one renewal from another. Where it does not, they are the same.
			return current.Lease.ID == change.Lease.ID && current.Lease.ExpiresAt.Equal(change.Lease.ExpiresAt)
		}
	}
}

// gone recognises a Delete.
func gone(current *storage.Record, _ bool) bool { return current == nil }

// write is one conditional write on its way, and the judge of what became of it.
type write struct {
	attempts
	driver    *Driver
	key       string
	condition storage.Condition // on what is stored under key
	own       recognise
	// over is the version that a Put or a Delete is made over, "" where there is none, or nothing that later
	// ones tell of.
	over string
	// changes is whether the write only changes a record, and makes none.
	changes bool
	// found is what is stored where an error has turned out to be a success.
	found *storage.Record
}

func (d *Driver) newWrite(key string, condition storage.Condition, own recognise) *write {
	return &write{driver: d, key: key, condition: condition, own: own}
}

// newPut is newWrite for a record that takes the place of another, if that is as the condition says.
func (d *Driver) newPut(record storage.Record, condition storage.Condition) *write {
	w := d.newWrite(record.Key, condition, ownVersion(record.Version))
	w.over = condition.Version
	return w
}

// newChange is newWrite for an Update or an Acquire.
func (d *Driver) newChange(key string, condition storage.Condition, own recognise) *write {
	w := d.newWrite(key, condition, own)
	w.changes = true
	return w
}

// newDelete is newWrite for a record that is to go.
func (d *Driver) newDelete(key string, condition storage.Condition) *write {
	w := d.newWrite(key, condition, gone)
	w.over = condition.Version
	return w
}

// settle says what an error of a write means: nil where the write was applied after all.
func (w *write) settle(ctx context.Context, operation string, err error) error {
	if failed := (*types.ConditionalCheckFailedException)(nil); errors.As(err, &failed) {
		addRefused(ctx, failed.Item)
		return w.conflict(ctx, failed.Item)
	}
	if !w.open() {
		return w.driver.faults.wrap(ctx, operation, err)
	}
	switch current, readErr := w.driver.decide(ctx, w.key); {
	case readErr != nil:
		return w.driver.faults.unknown(ctx, operation, err)
	case w.applied(ctx, current):
		return nil
	case w.refused(current):
		return w.driver.faults.wrap(ctx, operation, err)
	default:
		return w.driver.faults.unknown(ctx, operation, err)
	}
}

// refused reports whether what is stored tells that the write, which is not seen there, was not applied and never will
// be.
func (w *write) refused(current *storage.Record) bool {
	if w.condition.Holds(current) || current == nil && w.changes {
		// Nothing has taken the place of what it was made for, so it was not applied; or there is no record to change.
		// But it may be yet, if it is still on its way.
		return !w.unanswered
	}
	return w.overtaken(current)
}

// overtaken reports whether what is stored descends from the version that the write is made over, but not by way of the
// write. That version never returns. Nor does a lease, or a life that is over: where they are all that is against the
// condition, it is as final.
func (w *write) overtaken(current *storage.Record) bool {
	return w.over != "" && current != nil && current.Descends(w.over)
}

// conflict judges the item that is in the way of a condition.
func (w *write) conflict(ctx context.Context, it item) error {
	current, err := w.driver.inTheWay(ctx, w.key, w.condition, it)
	switch {
	case err != nil:
		return w.joinUnknown(err)
	case w.applied(ctx, current):
		return nil
	}
	conflict := &storage.ConflictError{Current: current}
	if w.overtaken(current) {
		return conflict
	}
	return w.joinUnknown(conflict)
}

// joinUnknown returns err, and with it ErrOutcomeUnknown where an earlier attempt may have been applied, and
// overwritten since: by more than the ancestry names, or by somebody who had not read it.
func (w *write) joinUnknown(err error) error {
	if w.open() {
		return errors.Join(err, storage.ErrOutcomeUnknown)
	}
	return err
}

// applied reports whether what is stored tells that the write was applied, and counts it if the response to that was lost.
func (w *write) applied(ctx context.Context, current *storage.Record) bool {
	if !w.own(current, w.open()) {
		return false
	}
	w.found = current
	if w.open() {
		storage.MeterFrom(ctx).Add(storage.Usage{Recovered: 1})
	}
	return true
}

// decide returns what is stored, nil for nothing. It goes on after the caller has given up.
func (d *Driver) decide(ctx context.Context, key string) (*storage.Record, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideTimeout)
	defer cancel()
	record, found, err := d.Get(ctx, key, storage.Strong)
	if err != nil || !found {
		return nil, err
	}
	return &record, nil
}

// inTheWay returns what a condition on key has failed on, given the item that came with the failure. Engines that
// never send one are asked for it: until one has been seen, that none came does not tell that there is none.
func (d *Driver) inTheWay(
	ctx context.Context, key string, condition storage.Condition, it item,
) (*storage.Record, error) {
	if len(it) > 0 {
		d.sendsItems.Store(true)
		record, err := d.whole(it)
		if err != nil {
			return nil, err
		}
		return &record, nil
	}
	sends := d.sendsItems.Load() && !d.hides(key)
	if sends || condition.Kind == storage.KindAlways { // that fails on nothing but the lack of an item
		return nil, nil //nolint:nilnil // No record is no error here.
	}
	return d.decide(ctx, key)
}
