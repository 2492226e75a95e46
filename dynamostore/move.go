package dynamostore

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/storage"
)

// moveTries is how often a transaction is tried that another one is in the way of. The SDK does not repeat those.
const moveTries = 4

// Move implements storage.Mover, as a transaction. It is billed at twice the capacity of its two writes.
func (d *Driver) Move(ctx context.Context, from string, record storage.Record, condition storage.Condition) error {
	if err := storage.ValidateMove(from, record, condition, d.maxKeyBytes); err != nil {
		return err
	}
	if !d.validKey(from) { // then there is nothing to leave
		if !condition.Holds(nil) {
			return &storage.ConflictError{}
		}
		return d.Put(ctx, record, condition.OnTarget(record))
	}
	input, err := d.moveInput(from, record, condition)
	if err != nil {
		return err
	}
	w := d.newPut(record, condition.OnTarget(record), condition)
	for try := 1; ; try++ {
		err := d.transact(ctx, input, w)
		if !errors.Is(err, errContended) || try == moveTries {
			return err
		}
		if err := wait(ctx, retryDelay(try)); err != nil {
			return d.faults.wrap(ctx, "TransactWriteItems", err)
		}
	}
}

func (d *Driver) moveInput(from string, record storage.Record, condition storage.Condition) (*dynamodb.TransactWriteItemsInput, error) {
	encoded := d.table.encode(record)
	if err := d.table.checkSize(encoded); err != nil {
		return nil, err
	}
	target := condition.OnTarget(record)
	onFrom, onTarget := d.conditions.of(condition), d.conditions.of(target)
	return &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Delete: &types.Delete{
			TableName:                           &d.table.Name,
			Key:                                 d.table.key(from),
			ConditionExpression:                 onFrom.text,
			ExpressionAttributeNames:            onFrom.names,
			ExpressionAttributeValues:           onFrom.values(nil, condition),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
		{Put: &types.Put{
			TableName:                           &d.table.Name,
			Item:                                encoded,
			ConditionExpression:                 onTarget.text,
			ExpressionAttributeNames:            onTarget.names,
			ExpressionAttributeValues:           onTarget.values(nil, target),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
	}}, nil
}

// errContended says that another transaction had one of the items.
var errContended = errors.New("another transaction is in the way")

// transact sends the move once. The SDK gives it an idempotency token, so that its own repetitions are harmless.
func (d *Driver) transact(ctx context.Context, input *dynamodb.TransactWriteItemsInput, w *write) error {
	meter := storage.MeterFrom(ctx)
	input.ReturnConsumedCapacity = capacityOf(meter)
	out, err := d.client.TransactWriteItems(ctx, input, w.track)
	meter.Add(storage.Usage{Calls: 1})
	if err == nil {
		for i := range out.ConsumedCapacity {
			addWrite(meter, &out.ConsumedCapacity[i])
		}
		addThrottled(meter, out.ResultMetadata)
		return nil
	}
	canceled := (*types.TransactionCanceledException)(nil)
	if !errors.As(err, &canceled) || len(canceled.CancellationReasons) != len(input.TransactItems) {
		return w.settle(ctx, "TransactWriteItems", err)
	}
	for i, reason := range canceled.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "ConditionalCheckFailed":
			if i == 0 {
				// Gone from the old key may be this very move, made by an attempt whose response was lost too long ago.
				return w.conflictAfterMove(ctx, reason.Item)
			}
			return w.conflict(ctx, reason.Item)
		case "TransactionConflict":
			return &Error{
				Operation: "TransactWriteItems", Table: d.table.Name, Region: d.faults.region,
				Kind: ErrThrottled, Err: errContended,
			}
		}
	}
	return d.faults.wrap(ctx, "TransactWriteItems", err)
}

// conflictAfterMove judges the item under the old key.
func (w *write) conflictAfterMove(ctx context.Context, it item) error {
	if len(it) == 0 && w.open {
		switch current, err := w.read(ctx); {
		case err != nil:
			return w.driver.faults.unknown(ctx, "TransactWriteItems", err)
		case w.applied(ctx, current):
			return nil
		}
	}
	return w.conflict(ctx, it)
}

// wait sleeps, or returns what has ended the context before.
func wait(ctx context.Context, delay time.Duration) error {
	if backoff.Sleep(ctx, delay) != nil {
		return context.Cause(ctx)
	}
	return nil
}
