package dynamostore

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// decideTimeout bounds the read that decides what became of a write.
const decideTimeout = time.Second

// recognise reports whether what is stored tells that a write was applied. current is nil where there is no item.
// inDoubt is whether an attempt that failed may have been applied.
type recognise func(current *storage.Record, inDoubt bool) bool

// ownVersion recognises a Put by the version that was drawn for it, also where others have overwritten it since, each
// of whom had read what was stored.
func ownVersion(version string) recognise {
	return func(current *storage.Record, _ bool) bool { return current != nil && current.Descends(version) }
}

// ownLease recognises an Acquire by the ID that no other acquisition has.
func ownLease(id string) recognise {
	return func(current *storage.Record, _ bool) bool { return current != nil && current.Lease.ID == id }
}

// ownChange recognises an Update by what it sets. None of that is drawn for it alone, so what is found is the work of
// others, unless an attempt that failed may have been applied.
func ownChange(change storage.Change) recognise {
	return func(current *storage.Record, inDoubt bool) bool {
		if !inDoubt || current == nil || !change.ExpiresAt.IsZero() && !current.ExpiresAt.Equal(change.ExpiresAt) {
			return false
		}
		if !change.UpdatedAt.IsZero() {
			// The instant of the change, to the nanosecond, tells it from others. Acquisitions leave it as it is, so a
			// lease that the change freed may be somebody else's by now.
			return current.UpdatedAt.Equal(change.UpdatedAt) &&
				(change.Lease == nil || change.Lease.Free() || current.Lease.ID == change.Lease.ID)
		}
		switch {
		case change.Lease == nil:
			return false
		case change.Lease.Free():
			// A release is done when nobody holds the lease, whoever released it: a lease that was acquired since is
			// not free, and so is never taken for released.
			return current.Lease.Free()
		default:
			// Only the holder sets this ID, and the end tells one renewal from another. Where it does not, they are the
			// same.
			return current.Lease.ID == change.Lease.ID && current.Lease.ExpiresAt.Equal(change.Lease.ExpiresAt)
		}
	}
}

// gone recognises a Delete.
func gone(current *storage.Record, _ bool) bool { return current == nil }

// write is a conditional write: what is needed to tell from what is stored whether it was applied.
type write struct {
	key       string
	condition storage.Condition // on what is stored under key
	own       recognise
	// replaces is the version that a Put or a Delete takes the place of, "" where there is none, or none that later
	// versions name.
	replaces string
	// changes is whether the write only changes a record, and makes none.
	changes bool
}

// send makes the call of a write. Where its answer was lost, and what is stored tells that the write was applied, out
// is nil and found is what is stored.
func send[In, Out any](
	ctx context.Context, d *Driver, w write, operation string,
	method func(Client, context.Context, *In, ...func(*dynamodb.Options)) (*Out, error), in *In,
) (out *Out, found *storage.Record, err error) {
	a := &attempts{}
	if out, err = call(ctx, d, method, in, repeatContended, a.watch); err != nil {
		found, err = d.settle(ctx, w, a, operation, err)
	}
	return out, found, err
}

// settle says what an error of a write means. Where the condition did not hold, it is a conflict, unless it is the
// write's own work that is in the way. Where an attempt may have been applied, what is stored decides:
//
//	what is stored                                      every attempt answered    an attempt unanswered
//	is the work of the write                            applied                   applied
//	is as the condition says, or nothing to change      not applied               not known: it may yet arrive
//	descends from what the write replaces, or is that   not applied               not applied: it can never be
//	is anything else, or cannot be read                 not known                 not known
func (d *Driver) settle(
	ctx context.Context, w write, a *attempts, operation string, err error,
) (found *storage.Record, _ error) {
	if failed := (*types.ConditionalCheckFailedException)(nil); errors.As(err, &failed) {
		addRefused(ctx, failed.Item)
		return d.conflict(ctx, w, a, failed.Item)
	}
	if !a.inDoubt() {
		return nil, d.faults.wrap(ctx, operation, err)
	}
	switch current, readErr := d.decide(ctx, w.key); {
	case readErr != nil:
		return nil, d.faults.unknown(ctx, operation, err)
	case w.own(current, true):
		addRecovered(ctx)
		return current, nil
	case w.refused(current, a):
		return nil, d.faults.wrap(ctx, operation, err)
	default:
		return nil, d.faults.unknown(ctx, operation, err)
	}
}

// refused reports whether what is stored, which is not the work of the write, tells that the write was not applied and
// never will be.
func (w write) refused(current *storage.Record, a *attempts) bool {
	if w.condition.Holds(current) || current == nil && w.changes {
		return !a.unanswered
	}
	return w.overtaken(current)
}

// overtaken reports whether what is stored descends from the version that the write replaces, but not by way of the
// write. That version never returns. Nor does a lease that ended, or a life: where they are all that is against the
// condition, it is as final.
func (w write) overtaken(current *storage.Record) bool {
	return w.replaces != "" && current != nil && current.Descends(w.replaces)
}

// conflict judges the item that came with a condition that did not hold. Its error matches ErrOutcomeUnknown where an
// earlier attempt may have been applied, and overwritten since: by more versions than the ancestry names, or by
// somebody who had not read it.
func (d *Driver) conflict(ctx context.Context, w write, a *attempts, it item) (found *storage.Record, _ error) {
	current, err := d.inTheWay(ctx, w, it)
	switch {
	case err != nil:
	case w.own(current, a.inDoubt()):
		if a.inDoubt() {
			addRecovered(ctx)
		}
		return current, nil
	case w.overtaken(current):
		return nil, &storage.ConflictError{Current: current}
	default:
		err = &storage.ConflictError{Current: current}
	}
	if a.inDoubt() {
		err = errors.Join(err, storage.ErrOutcomeUnknown)
	}
	return nil, err
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

// inTheWay returns the record for which the condition of a write did not hold, given the item that came with the
// failure. Engines that never send one are asked for it: until this engine has sent one, a missing item does not tell
// that there is none.
func (d *Driver) inTheWay(ctx context.Context, w write, it item) (*storage.Record, error) {
	if len(it) > 0 {
		d.sendsItems.Store(true)
		record, err := d.whole(it)
		if err != nil {
			return nil, err
		}
		return &record, nil
	}
	sends := d.sendsItems.Load() && !d.hides(w.key)
	if sends || w.condition.Kind == storage.KindAlways { // that fails on nothing but the lack of an item
		return nil, nil //nolint:nilnil // No record is no error here.
	}
	return d.decide(ctx, w.key)
}
