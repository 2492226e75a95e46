package dynamostore

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

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

// write is one conditional write on its way. It watches the SDK's attempts: if the response to one of them was lost, the
// error of the last one does not tell what became of the write.
type write struct {
	aws.Retryer // the client's own, which decides as ever
	driver      *Driver
	key         string
	condition   storage.Condition // on what is stored under key
	own         recognise
	// over is the version that a Put or a Move is made over, "" where there is none, or nothing that later ones tell of.
	over string
	// open is whether an attempt was made that may have been applied although it failed.
	open bool
	// found is what is stored where an error has turned out to be a success.
	found *storage.Record
}

func (d *Driver) newWrite(key string, condition storage.Condition, own recognise) *write {
	return &write{driver: d, key: key, condition: condition, own: own}
}

// newPut is newWrite for a record that takes the place of another, if that is as the condition says.
func (d *Driver) newPut(record storage.Record, onTarget, condition storage.Condition) *write {
	w := d.newWrite(record.Key, onTarget, ownVersion(record.Version))
	w.over = condition.Version
	return w
}

// track is a call option that puts the write between the SDK and its retryer.
func (w *write) track(o *dynamodb.Options) {
	w.Retryer = o.Retryer
	o.Retryer = w
}

// IsErrorRetryable implements aws.Retryer. The SDK calls it for each attempt that failed.
func (w *write) IsErrorRetryable(err error) bool {
	w.open = w.open || mayHaveBeenApplied(err)
	return w.Retryer.IsErrorRetryable(err)
}

// GetAttemptToken implements aws.RetryerV2.
func (w *write) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	if retryer, ok := w.Retryer.(aws.RetryerV2); ok {
		return retryer.GetAttemptToken(ctx)
	}
	return w.GetInitialToken(), nil
}

// settle says what an error of a write means: nil where the write was applied after all.
func (w *write) settle(ctx context.Context, operation string, err error) error {
	if failed := (*types.ConditionalCheckFailedException)(nil); errors.As(err, &failed) {
		return w.conflict(ctx, failed.Item)
	}
	if !w.open {
		return w.driver.faults.wrap(ctx, operation, err)
	}
	switch current, readErr := w.read(ctx); {
	case readErr != nil:
		return w.driver.faults.unknown(ctx, operation, err)
	case w.applied(ctx, current):
		return nil
	case !w.condition.Holds(current) && !w.overtaken(current): // somebody has written since: over this write, or instead of it
		return w.driver.faults.unknown(ctx, operation, err)
	default:
		return w.driver.faults.wrap(ctx, operation, err)
	}
}

// read returns what is stored, nil for nothing. It goes on after the caller has given up.
func (w *write) read(ctx context.Context) (*storage.Record, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideTimeout)
	defer cancel()
	record, found, err := w.driver.Get(ctx, w.key, storage.Strong)
	if err != nil || !found {
		return nil, err
	}
	return &record, nil
}

// conflict judges the item that is in the way.
func (w *write) conflict(ctx context.Context, it item) error {
	var current *storage.Record
	if len(it) > 0 {
		record, err := w.driver.whole(it)
		if err != nil {
			return err
		}
		current = &record
	}
	if w.applied(ctx, current) {
		return nil
	}
	conflict := &storage.ConflictError{Current: current}
	if w.open && !w.overtaken(current) {
		// An earlier attempt may have been applied, and overwritten since: by more than the ancestry names, or by somebody
		// who had not read it.
		return errors.Join(conflict, storage.ErrOutcomeUnknown)
	}
	return conflict
}

// overtaken reports whether what is stored tells that the write was not applied, and never will be: it descends from the
// version that the write is made over, but not by way of the write.
func (w *write) overtaken(current *storage.Record) bool {
	return w.over != "" && current != nil && current.Descends(w.over)
}

// applied reports whether what is stored tells that the write was applied, and counts it if the response to that was lost.
func (w *write) applied(ctx context.Context, current *storage.Record) bool {
	if !w.own(current, w.open) {
		return false
	}
	w.found = current
	if w.open {
		storage.MeterFrom(ctx).Add(storage.Usage{Recovered: 1})
	}
	return true
}

// mayHaveBeenApplied reports whether a failed attempt may have reached the table.
func mayHaveBeenApplied(err error) bool {
	if fromCredentials(err) {
		return false
	}
	if send := (*smithyhttp.RequestSendError)(nil); errors.As(err, &send) {
		return !neverSent(send)
	}
	if response := (*smithyhttp.ResponseError)(nil); errors.As(err, &response) {
		if response.HTTPStatusCode() >= http.StatusInternalServerError {
			return true
		}
	}
	if undecoded := (*smithy.DeserializationError)(nil); errors.As(err, &undecoded) {
		return true
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// neverSent reports whether there was not even a connection.
func neverSent(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) && network.Op == "dial"
}
