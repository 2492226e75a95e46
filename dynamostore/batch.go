package dynamostore

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/storage"
)

const (
	// maxBatch is how many items a BatchWriteItem can hold.
	maxBatch = 25
	// batchTries is how often in a row a batch may bring nothing forward before it is given up.
	batchTries = 8
)

// DeleteBatch implements storage.Driver. It costs as much capacity as single deletes, and a 25th of the calls.
// Items that DynamoDB leaves unprocessed are sent again, with growing pauses.
func (d *Driver) DeleteBatch(ctx context.Context, keys []string) error {
	keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !d.validKey(key) })
	slices.Sort(keys)
	for batch := range slices.Chunk(slices.Compact(keys), maxBatch) { // DynamoDB refuses a batch with an item twice
		requests := make([]types.WriteRequest, len(batch))
		for i, key := range batch {
			requests[i] = types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: d.table.key(key)}}
		}
		if err := d.writeBatch(ctx, requests); err != nil {
			return err
		}
	}
	return nil
}

// writeBatch sends the requests until all are processed.
func (d *Driver) writeBatch(ctx context.Context, requests []types.WriteRequest) error {
	for try := 1; ; try++ {
		out, err := call(ctx, d, Client.BatchWriteItem, &dynamodb.BatchWriteItemInput{
			RequestItems:           map[string][]types.WriteRequest{d.table.Name: requests},
			ReturnConsumedCapacity: capacityOf(storage.MeterFrom(ctx)),
		}, repeatContended)
		if err != nil {
			return d.faults.wrap(ctx, "BatchWriteItem", err)
		}
		var left []types.WriteRequest
		for _, unprocessed := range out.UnprocessedItems { // one table, by its name or its ARN
			left = append(left, unprocessed...)
		}
		switch {
		case len(left) == 0:
			return nil
		case len(left) < len(requests):
			try = 1
		case try == batchTries:
			return d.faults.error("BatchWriteItem", &ThrottledError{}, nil)
		}
		requests = left
		if err := backoff.Sleep(ctx, retryDelay(try)); err != nil {
			return d.faults.wrap(ctx, "BatchWriteItem", err)
		}
	}
}
