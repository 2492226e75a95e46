package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// New returns a store over a table. It makes no call: whether the table is there and fits is for [Table.Verify] to
// say. Errors: what is wrong with the table's layout and the options, all at once, and [ErrNoRegion]. A client that
// has no time limit (see [TuneClient]), and one that sends sessions to another machine without TLS, is told of to
// the default logger of package slog, at level Warn.
func New(client Client, table Table, options ...sessionstore.Option) (*sessionstore.Store, error) {
	driver, err := NewDriver(client, table)
	if err != nil {
		return nil, err
	}
	return sessionstore.New(driver, options...)
}

// Driver keeps records as items of a table. It is safe for concurrent use.
type Driver struct {
	client      Client
	table       Table
	maxKeyBytes int
	conditions  conditions
	ghost       condition
	upserts     upserts
	faults      faults
	// sendsItems is whether the engine has been seen to send the item that a condition failed on.
	sendsItems  atomic.Bool
	withoutData bool // see WithoutData
}

var (
	_ storage.Driver        = (*Driver)(nil)
	_ storage.Scanner       = (*Driver)(nil)
	_ storage.ExpiryScanner = (*Driver)(nil)
	_ storage.Leaser        = (*Driver)(nil)
	_ storage.BatchDeleter  = (*Driver)(nil)
	_ storage.GhostDeleter  = (*Driver)(nil)
)

// NewDriver returns the driver alone, for a store that is put together with sessionstore.New. Errors: as [New].
func NewDriver(client Client, table Table) (*Driver, error) {
	if client == nil {
		return nil, errors.New("dynamostore: the client is nil; make one with dynamodb.NewFromConfig")
	}
	options := client.Options()
	if err := table.validateClient(options.Region); err != nil {
		return nil, err
	}
	table = table.WithDefaults()
	warnUnlimited(table.Name, options)
	warnCleartext(table.Name, options)
	return &Driver{
		client:      client,
		table:       table,
		maxKeyBytes: table.maxKeyBytes(),
		conditions:  newConditions(table),
		ghost:       newGhost(table),
		upserts:     newUpserts(table),
		faults:      newFaults(table.Name, options),
	}, nil
}

// Get implements storage.Driver.
func (d *Driver) Get(ctx context.Context, key string, consistency storage.Consistency) (storage.Record, bool, error) {
	if !d.validKey(key) {
		return storage.Record{}, false, nil
	}
	meter := storage.MeterFrom(ctx)
	input := d.getInput(key)
	input.ConsistentRead, input.ReturnConsumedCapacity = aws.Bool(consistency == storage.Strong), capacityOf(meter)
	out, err := d.client.GetItem(ctx, input)
	meter.Add(storage.Usage{Calls: 1})
	if err != nil {
		return storage.Record{}, false, d.faults.wrap(ctx, "GetItem", err)
	}
	addRead(meter, out.ConsumedCapacity)
	addThrottled(meter, out.ResultMetadata)
	if len(out.Item) == 0 {
		return storage.Record{}, false, nil
	}
	if d.hides(key) {
		record, ours, err := d.table.decode(out.Item)
		return record, ours && err == nil, err
	}
	record, err := d.whole(out.Item)
	return record, err == nil, err
}

// Put implements storage.Driver.
func (d *Driver) Put(ctx context.Context, record storage.Record, condition storage.Condition) error {
	if err := storage.ValidatePut(record, condition, d.maxKeyBytes); err != nil {
		return err
	}
	if !d.validKey(record.Key) {
		return storage.ErrInvalidKey
	}
	if record.CreatedAt.IsZero() && condition.Kind == storage.KindAbsent {
		record.CreatedAt = record.UpdatedAt // nothing of an expired item survives
	}
	encoded := d.table.encode(record)
	if err := d.table.checkSize(encoded); err != nil {
		return err
	}
	w := d.newPut(record, condition)
	if record.CreatedAt.IsZero() {
		// Only UpdateItem can keep what is not known; docs/decisions/0002 has the figures for both.
		_, err := d.update(ctx, d.upsertInput(record, encoded, condition), w)
		return err
	}
	meter := storage.MeterFrom(ctx)
	expression := d.conditions.of(condition)
	out, err := d.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                           &d.table.Name,
		Item:                                encoded,
		ConditionExpression:                 expression.text,
		ExpressionAttributeNames:            expression.names,
		ExpressionAttributeValues:           expression.values(nil, condition),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              capacityOf(meter),
	}, w.watch)
	meter.Add(storage.Usage{Calls: 1})
	if err != nil {
		return w.settle(ctx, "PutItem", err)
	}
	addWrite(meter, out.ConsumedCapacity)
	addThrottled(meter, out.ResultMetadata)
	return nil
}

// Update implements storage.Driver.
func (d *Driver) Update(ctx context.Context, key string, change storage.Change, condition storage.Condition) error {
	if err := condition.Validate(); err != nil {
		return err
	}
	if !d.validKey(key) {
		return &storage.ConflictError{}
	}
	_, err := d.update(ctx, d.changeInput(key, change, condition), d.newChange(key, condition, ownChange(change)))
	return err
}

// Acquire implements storage.Leaser, as one UpdateItem that returns the item. It costs no read capacity.
func (d *Driver) Acquire(
	ctx context.Context, key string, lease storage.Lease, condition storage.Condition,
) (storage.Record, error) {
	if err := storage.ValidateAcquire(lease, condition); err != nil {
		return storage.Record{}, err
	}
	if !d.validKey(key) {
		return storage.Record{}, &storage.ConflictError{}
	}
	input := d.changeInput(key, storage.Change{Lease: &lease}, condition)
	input.ReturnValues = types.ReturnValueAllNew
	w := d.newChange(key, condition, ownLease(lease.ID))
	attributes, err := d.update(ctx, input, w)
	switch {
	case err != nil:
		return storage.Record{}, err
	case w.found != nil:
		return *w.found, nil
	default:
		return d.whole(attributes)
	}
}

// Delete implements storage.Driver.
func (d *Driver) Delete(ctx context.Context, key string, condition storage.Condition) error {
	if err := condition.Validate(); err != nil || !d.validKey(key) {
		return err
	}
	meter := storage.MeterFrom(ctx)
	expression := d.conditions.of(condition)
	w := d.newDelete(key, condition)
	out, err := d.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                           &d.table.Name,
		Key:                                 d.table.key(key),
		ConditionExpression:                 expression.text,
		ExpressionAttributeNames:            expression.names,
		ExpressionAttributeValues:           expression.values(nil, condition),
		ReturnValuesOnConditionCheckFailure: d.refused(key),
		ReturnConsumedCapacity:              capacityOf(meter),
	}, w.watch)
	meter.Add(storage.Usage{Calls: 1})
	if err != nil {
		return w.settle(ctx, "DeleteItem", err)
	}
	addWrite(meter, out.ConsumedCapacity)
	addThrottled(meter, out.ResultMetadata)
	return nil
}

// update sends an UpdateItem. It returns the attributes that the input asks for, nothing where the response was lost.
func (d *Driver) update(ctx context.Context, input *dynamodb.UpdateItemInput, w *write) (item, error) {
	meter := storage.MeterFrom(ctx)
	input.ReturnConsumedCapacity = capacityOf(meter)
	out, err := d.client.UpdateItem(ctx, input, w.watch)
	meter.Add(storage.Usage{Calls: 1})
	if err != nil {
		return nil, w.settle(ctx, "UpdateItem", err)
	}
	addWrite(meter, out.ConsumedCapacity)
	addThrottled(meter, out.ResultMetadata)
	return out.Attributes, nil
}

// whole decodes an item that was read with all its attributes.
func (d *Driver) whole(it item) (storage.Record, error) {
	record, ours, err := d.table.decode(it)
	switch {
	case err != nil:
		return storage.Record{}, err
	case !ours:
		return storage.Record{}, &storage.CorruptError{Part: "key", Problem: "is not that of a session"}
	case record.Data == nil:
		return storage.Record{}, &storage.CorruptError{
			Part: fmt.Sprintf("attribute %q", d.table.Attributes.Data), Problem: "is missing",
		}
	}
	return record, nil
}

// validKey reports whether the key can be that of an item.
func (d *Driver) validKey(key string) bool {
	return storage.ValidKey(key, d.maxKeyBytes) && len(escape(key)) <= d.maxKeyBytes
}

// capacityOf asks for consumed capacity where somebody counts.
func capacityOf(meter *storage.Meter) types.ReturnConsumedCapacity {
	if meter == nil {
		return ""
	}
	return types.ReturnConsumedCapacityTotal
}

func addRead(meter *storage.Meter, consumed *types.ConsumedCapacity) {
	if consumed != nil {
		meter.Add(storage.Usage{ReadUnits: aws.ToFloat64(consumed.CapacityUnits)})
	}
}

func addWrite(meter *storage.Meter, consumed *types.ConsumedCapacity) {
	if consumed != nil {
		meter.Add(storage.Usage{WriteUnits: aws.ToFloat64(consumed.CapacityUnits)})
	}
}

// addRefused counts the capacity of a write whose condition did not hold. DynamoDB bills it, by the size of the item that
// is there, and does not report it.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate
func addRefused(ctx context.Context, current item) {
	units := max(1, (size(current)+unitBytes-1)/unitBytes)
	storage.MeterFrom(ctx).Add(storage.Usage{WriteUnits: float64(units)})
}

// unitBytes is what one write unit writes.
const unitBytes = 1024

// addThrottled counts the attempts of a request that succeeded in the end.
func addThrottled(meter *storage.Meter, metadata middleware.Metadata) {
	if meter == nil {
		return
	}
	attempts, _ := retry.GetAttemptResults(metadata)
	throttled := 0
	for _, attempt := range attempts.Results {
		if errors.Is(kindOfAnswer(attempt.Err), storage.ErrThrottled) {
			throttled++
		}
	}
	meter.Add(storage.Usage{Throttled: throttled})
}
