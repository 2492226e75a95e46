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

// recognise reports whether what is stored is what a write stores. current is nil where there is no item.
type recognise func(current *storage.Record) bool

// ownVersion recognises a Put by the version that was drawn for it.
func ownVersion(version string) recognise {
	return func(current *storage.Record) bool { return current != nil && current.Version == version }
}

// ownChange recognises an Update by everything that it sets. The instant of the change, to the nanosecond, tells it from
// others.
func ownChange(change storage.Change) recognise {
	return func(current *storage.Record) bool {
		return current != nil && !change.UpdatedAt.IsZero() && current.UpdatedAt.Equal(change.UpdatedAt) &&
			(change.ExpiresAt.IsZero() || current.ExpiresAt.Equal(change.ExpiresAt)) &&
			(change.Lease == nil || current.Lease.ID == change.Lease.ID)
	}
}

// gone recognises a Delete.
func gone(current *storage.Record) bool { return current == nil }

// write is one conditional write on its way. It watches the SDK's attempts: if the response to one of them was lost, the
// error of the last one does not tell what became of the write.
type write struct {
	aws.Retryer // the client's own, which decides as ever
	driver      *Driver
	key         string
	own         recognise
	// open is whether an attempt was made that may have been applied although it failed.
	open bool
}

func (d *Driver) newWrite(key string, own recognise) *write {
	return &write{driver: d, key: key, own: own}
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

// settle says what an error of a write means: nil where it was applied after all.
func (w *write) settle(ctx context.Context, operation string, err error) error {
	if failed := (*types.ConditionalCheckFailedException)(nil); errors.As(err, &failed) {
		return w.conflict(failed.Item)
	}
	if !w.open {
		return w.driver.faults.wrap(ctx, operation, err)
	}
	readCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideTimeout)
	defer cancel()
	record, found, readErr := w.driver.Get(readCtx, w.key, storage.Strong)
	switch {
	case readErr != nil:
		return w.driver.faults.unknown(ctx, operation, err)
	case found && w.own(&record), !found && w.own(nil):
		return nil
	default:
		return w.driver.faults.wrap(ctx, operation, err)
	}
}

// conflict judges the item that is in the way.
func (w *write) conflict(it item) error {
	var current *storage.Record
	if len(it) > 0 {
		record, err := w.driver.whole(it)
		if err != nil {
			return err
		}
		current = &record
	}
	if w.own(current) {
		return nil
	}
	conflict := &storage.ConflictError{Current: current}
	if w.open {
		// An earlier attempt may have been applied, and overwritten since by somebody who had read it.
		return errors.Join(conflict, storage.ErrOutcomeUnknown)
	}
	return conflict
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
