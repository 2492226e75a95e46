package dynamostore

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/storage"
)

// ghost returns the lease of an item that is nothing but a lease: an item with no payload, no version and no expiry, a whole
// lease of the form that a strategy makes, and no attribute that is not of this layout. Anything less certain may be
// somebody else's.
func (t *Table) ghost(it item) (storage.Lease, bool) {
	a := &t.Attributes
	known := map[string]bool{
		t.PartitionKey.Name: true, a.LeaseID: true, a.LeaseDuration: true, a.LeaseExpiry: true,
		a.CreatedAt: true, a.UpdatedAt: true, a.TTL: true, a.Ancestry: true,
	}
	if t.SortKey.Name != "" {
		known[t.SortKey.Name] = true
	}
	for name := range it {
		if !known[name] {
			return storage.Lease{}, false
		}
	}
	_, ours := t.cutKey(it)
	d := decoder{item: it}
	lease := storage.Lease{ID: d.text(a.LeaseID, required)}
	d.number(a.LeaseDuration, required)
	lease.Duration = d.seconds(a.LeaseDuration)
	lease.ExpiresAt = d.instant(a.LeaseExpiry, required)
	return lease, ours && d.err == nil && len(lease.ID) == leaseIDBytes
}

// DeleteGhost implements storage.GhostDeleter. A scan does not see attributes of others, so the item is read first, as a
// whole: 1 read unit on top of the write unit.
func (d *Driver) DeleteGhost(ctx context.Context, key string, lease storage.Lease) error {
	if !d.validKey(key) {
		return nil
	}
	meter := storage.MeterFrom(ctx)
	read, err := d.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &d.table.Name, Key: d.table.key(key),
		ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: capacityOf(meter),
	})
	meter.Add(storage.Usage{Calls: 1})
	if err != nil {
		if err = d.faults.wrap(ctx, "GetItem", err); d.withoutData && errors.Is(err, ErrAccessDenied) {
			return &storage.CorruptError{Part: "record", Problem: "may be that of others, and may not be read"}
		}
		return err
	}
	addRead(meter, read.ConsumedCapacity)
	addThrottled(meter, read.ResultMetadata)
	if len(read.Item) == 0 {
		return nil
	}
	seen := storage.IfLease(lease.ID) // and more, which d.ghost says
	seen.LeaseExpiresAt = lease.ExpiresAt
	if found, ok := d.table.ghost(read.Item); !ok || found.ID != lease.ID || !found.ExpiresAt.Equal(lease.ExpiresAt) {
		return &storage.ConflictError{}
	}
	w := d.newWrite(key, seen, gone)
	out, err := d.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                           &d.table.Name,
		Key:                                 d.table.key(key),
		ConditionExpression:                 d.ghost.text,
		ExpressionAttributeNames:            d.ghost.names,
		ExpressionAttributeValues:           d.ghost.values(nil, seen),
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
