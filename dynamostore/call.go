package dynamostore

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/scsdynamo/scsdynamo/storage"
)

// call makes one call of the client, such as Client.GetItem, and adds it to the meter of ctx: the call itself, and of
// one that succeeded also the capacity that it consumed, and how many of its attempts were throttled.
func call[In, Out any](
	ctx context.Context, d *Driver, method func(Client, context.Context, *In, ...func(*dynamodb.Options)) (*Out, error),
	in *In, options ...func(*dynamodb.Options),
) (*Out, error) {
	meter := storage.MeterFrom(ctx)
	out, err := method(d.client, ctx, in, options...)
	meter.Add(storage.Usage{Calls: 1})
	if err != nil {
		return nil, err
	}
	addThrottled(meter, addConsumed(meter, out))
	return out, nil
}

// addConsumed counts the capacity that an answer tells of, and returns the metadata of the answer.
func addConsumed(meter *storage.Meter, answer any) (metadata middleware.Metadata) {
	switch out := answer.(type) {
	case *dynamodb.GetItemOutput:
		addRead(meter, out.ConsumedCapacity)
		return out.ResultMetadata
	case *dynamodb.ScanOutput:
		addRead(meter, out.ConsumedCapacity)
		return out.ResultMetadata
	case *dynamodb.QueryOutput:
		addRead(meter, out.ConsumedCapacity)
		return out.ResultMetadata
	case *dynamodb.PutItemOutput:
		addWrite(meter, out.ConsumedCapacity)
		return out.ResultMetadata
	case *dynamodb.UpdateItemOutput:
		addWrite(meter, out.ConsumedCapacity)
		return out.ResultMetadata
	case *dynamodb.DeleteItemOutput:
		addWrite(meter, out.ConsumedCapacity)
		return out.ResultMetadata
	case *dynamodb.BatchWriteItemOutput:
		for i := range out.ConsumedCapacity {
			addWrite(meter, &out.ConsumedCapacity[i])
		}
		return out.ResultMetadata
	}
	return metadata
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

// addRefused counts the capacity of a write whose condition did not hold. DynamoDB bills it, by the size of the item
// that is stored, and does not report it.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate
func addRefused(ctx context.Context, current item) {
	units := max(1, (size(current)+unitBytes-1)/unitBytes)
	storage.MeterFrom(ctx).Add(storage.Usage{WriteUnits: float64(units)})
}

// addRecovered counts a write that was applied although its answer was lost.
func addRecovered(ctx context.Context) { storage.MeterFrom(ctx).Add(storage.Usage{Recovered: 1}) }

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
