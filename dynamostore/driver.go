package dynamostore

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// New returns a store on a table. It makes no call: whether the table exists and fits is for [Table.Verify] to
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
	upserts     upserts
	faults      faults
	// sendsItems is whether the engine has sent the item that a condition failed on before.
	sendsItems  atomic.Bool
	withoutData bool // see WithoutData
}

var (
	_ storage.Driver        = (*Driver)(nil)
	_ storage.ExpiryScanner = (*Driver)(nil)
)

// NewDriver returns the driver alone, for a store that sessionstore.New makes. Errors: as [New].
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
		upserts:     newUpserts(table),
		faults:      newFaults(table.Name, options),
	}, nil
}

// Get implements storage.Driver.
func (d *Driver) Get(ctx context.Context, key string, consistency storage.Consistency) (storage.Record, bool, error) {
	if !d.validKey(key) {
		return storage.Record{}, false, nil
	}
	input := d.getInput(key)
	input.ConsistentRead = aws.Bool(consistency == storage.Strong)
	input.ReturnConsumedCapacity = capacityOf(storage.MeterFrom(ctx))
	out, err := call(ctx, d, Client.GetItem, input)
	if err != nil {
		return storage.Record{}, false, d.faults.wrap(ctx, "GetItem", err)
	}
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
	if err := cmp.Or(record.Validate(d.maxKeyBytes), condition.Validate()); err != nil {
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
	w := write{key: record.Key, condition: condition, own: ownVersion(record.Version), replaces: condition.Version}
	if record.CreatedAt.IsZero() {
		// Only UpdateItem can keep what is not known; docs/decisions/0002 has the figures for both.
		_, _, err := d.update(ctx, d.upsertInput(record, encoded, condition), w)
		return err
	}
	expression := d.conditions.of(condition)
	_, _, err := send(ctx, d, w, "PutItem", Client.PutItem, &dynamodb.PutItemInput{
		TableName:                           &d.table.Name,
		Item:                                encoded,
		ConditionExpression:                 expression.text,
		ExpressionAttributeNames:            expression.names,
		ExpressionAttributeValues:           expression.values(nil, condition),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              capacityOf(storage.MeterFrom(ctx)),
	})
	return err
}

// Update implements storage.Driver.
func (d *Driver) Update(ctx context.Context, key string, change storage.Change, condition storage.Condition) error {
	if err := condition.Validate(); err != nil {
		return err
	}
	if !d.validKey(key) {
		return &storage.ConflictError{}
	}
	w := write{key: key, condition: condition, own: ownChange(change), changes: true}
	_, _, err := d.update(ctx, d.changeInput(key, change, condition), w)
	return err
}

// Acquire implements storage.Driver, as one UpdateItem that returns the item. It costs no read capacity.
func (d *Driver) Acquire(
	ctx context.Context, key string, lease storage.Lease, condition storage.Condition,
) (storage.Record, error) {
	if err := cmp.Or(lease.Validate(), condition.Validate()); err != nil {
		return storage.Record{}, err
	}
	if !d.validKey(key) {
		return storage.Record{}, &storage.ConflictError{}
	}
	input := d.changeInput(key, storage.Change{Lease: &lease}, condition)
	input.ReturnValues = types.ReturnValueAllNew
	w := write{key: key, condition: condition, own: ownLease(lease.ID), changes: true}
	out, found, err := d.update(ctx, input, w)
	switch {
	case err != nil:
		return storage.Record{}, err
	case found != nil:
		return *found, nil
	default:
		return d.whole(out.Attributes)
	}
}

// Delete implements storage.Driver.
func (d *Driver) Delete(ctx context.Context, key string, condition storage.Condition) error {
	if err := condition.Validate(); err != nil || !d.validKey(key) {
		return err
	}
	w := write{key: key, condition: condition, own: gone, replaces: condition.Version}
	expression := d.conditions.of(condition)
	_, _, err := send(ctx, d, w, "DeleteItem", Client.DeleteItem, &dynamodb.DeleteItemInput{
		TableName:                           &d.table.Name,
		Key:                                 d.table.key(key),
		ConditionExpression:                 expression.text,
		ExpressionAttributeNames:            expression.names,
		ExpressionAttributeValues:           expression.values(nil, condition),
		ReturnValuesOnConditionCheckFailure: d.refused(key),
		ReturnConsumedCapacity:              capacityOf(storage.MeterFrom(ctx)),
	})
	return err
}

// update sends an UpdateItem.
func (d *Driver) update(
	ctx context.Context, input *dynamodb.UpdateItemInput, w write,
) (out *dynamodb.UpdateItemOutput, found *storage.Record, err error) {
	input.ReturnConsumedCapacity = capacityOf(storage.MeterFrom(ctx))
	return send(ctx, d, w, "UpdateItem", Client.UpdateItem, input)
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
		return storage.Record{}, d.table.withoutData()
	}
	return record, nil
}

// validKey reports whether the key can be that of an item.
func (d *Driver) validKey(key string) bool {
	return storage.ValidKey(key, d.maxKeyBytes) && len(escape(key)) <= d.maxKeyBytes
}
