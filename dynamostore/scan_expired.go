package dynamostore

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// ExpiryShards implements storage.ExpiryScanner. It is 0 where the table has no [ExpiryIndex].
func (d *Driver) ExpiryShards() int {
	if !d.table.hasExpiryIndex() {
		return 0
	}
	return d.table.ExpiryIndex.Shards
}

// ScanExpired implements storage.ExpiryScanner, as one Query of the index: half a read unit for each 4 KB of keys. What
// has expired in the present hour is left to the next one.
func (d *Driver) ScanExpired(ctx context.Context, request storage.ExpiredRequest) (storage.ExpiredPage, error) {
	if err := request.Validate(d.ExpiryShards()); err != nil {
		return storage.ExpiredPage{}, err
	}
	shard := &types.AttributeValueMemberS{Value: d.table.shardValue(request.Shard)}
	start, err := d.indexStartOf(request.Start, shard)
	if err != nil {
		return storage.ExpiredPage{}, err
	}
	a := &d.table.Attributes
	input := &dynamodb.QueryInput{
		TableName:                &d.table.Name,
		IndexName:                &d.table.ExpiryIndex.Name,
		KeyConditionExpression:   aws.String("#shard = :shard AND #hour <= :hour"),
		ExpressionAttributeNames: map[string]string{"#shard": a.ExpiryShard, "#hour": a.ExpiryHour},
		ExpressionAttributeValues: item{
			":shard": shard, ":hour": &types.AttributeValueMemberN{Value: strconv.FormatInt(hourEnded(request.Cutoff), 10)},
		},
		ExclusiveStartKey:      start,
		ReturnConsumedCapacity: capacityOf(storage.MeterFrom(ctx)),
	}
	if request.Limit > 0 {
		input.Limit = aws.Int32(int32(min(request.Limit, 1<<30)))
	}
	out, err := call(ctx, d, Client.Query, input)
	if err != nil {
		return storage.ExpiredPage{}, d.faults.wrap(ctx, "Query", err)
	}
	page := storage.ExpiredPage{Entries: make([]storage.ExpiryEntry, 0, len(out.Items))}
	for _, it := range out.Items {
		hour, ok := d.hourOf(it)
		if key, ours := d.table.cutKey(it); ours && ok {
			page.Entries = append(page.Entries, storage.ExpiryEntry{Key: key, ExpiredBy: endOfHour(hour)})
		}
	}
	page.Next, err = d.positionOf(out.LastEvaluatedKey)
	return page, err
}

// hourOf returns the hour of an entry of the index. One that is not a whole number is not ours.
func (d *Driver) hourOf(it item) (hour int64, ok bool) {
	number, ok := it[d.table.Attributes.ExpiryHour].(*types.AttributeValueMemberN)
	if !ok {
		return 0, false
	}
	hour, err := strconv.ParseInt(number.Value, 10, 64)
	return hour, err == nil
}

// indexStartOf returns the key of the entry that a shard goes on after.
func (d *Driver) indexStartOf(at storage.Position, shard types.AttributeValue) (item, error) {
	if at == "" {
		return nil, nil
	}
	p, err := d.parsePosition(at)
	if err != nil || p.Hour == "" {
		return nil, errPosition
	}
	start := d.primaryKey(p)
	start[d.table.Attributes.ExpiryShard] = shard
	start[d.table.Attributes.ExpiryHour] = &types.AttributeValueMemberN{Value: p.Hour}
	return start, nil
}
