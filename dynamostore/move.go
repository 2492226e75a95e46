package dynamostore

import (
	"context"
	"errors"

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
	if !d.validKey(record.Key) {
		return storage.ErrInvalidKey
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
		if err == nil {
			return nil
		}
		if !contended(err) || try == moveTries {
			return w.settleMove(ctx, from, condition, err)
		}
		if err := backoff.Sleep(ctx, retryDelay(try)); err != nil {
			return w.settleMove(ctx, from, condition, err)
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

// transact sends the move once. The SDK gives it an idempotency token, so that its own repetitions are harmless.
func (d *Driver) transact(ctx context.Context, input *dynamodb.TransactWriteItemsInput, w *write) error {
	meter := storage.MeterFrom(ctx)
	input.ReturnConsumedCapacity = capacityOf(meter)
	out, err := d.client.TransactWriteItems(ctx, input, w.watch)
	meter.Add(storage.Usage{Calls: 1})
	if err != nil {
		return err
	}
	for i := range out.ConsumedCapacity {
		addWrite(meter, &out.ConsumedCapacity[i])
	}
	addThrottled(meter, out.ResultMetadata)
	return nil
}

// reasons are why a transaction was cancelled, one for each of its items. They are nil for other errors.
func reasons(err error) []types.CancellationReason {
	canceled := (*types.TransactionCanceledException)(nil)
	if !errors.As(err, &canceled) {
		return nil
	}
	return canceled.CancellationReasons
}

// contended reports whether another transaction had one of the items, and no condition failed.
func contended(err error) bool {
	conflicts := 0
	for _, reason := range reasons(err) {
		switch aws.ToString(reason.Code) {
		case "ConditionalCheckFailed":
			return false
		case "TransactionConflict":
			conflicts++
		}
	}
	return conflicts > 0
}

// settleMove is settle for a move from a key. The condition is on the record there.
func (w *write) settleMove(ctx context.Context, from string, condition storage.Condition, err error) error {
	for i, reason := range reasons(err) {
		if aws.ToString(reason.Code) != "ConditionalCheckFailed" {
			continue
		}
		addRefused(ctx, reason.Item, 2)
		if i > 0 {
			return w.conflict(ctx, reason.Item)
		}
		current, err := w.driver.inTheWay(ctx, from, condition, reason.Item)
		if err != nil {
			return w.joinUnknown(err)
		}
		if current == nil && w.open() {
			// Gone from the old key may be this very move, made by an attempt whose response was lost too long ago.
			switch moved, err := w.driver.decide(ctx, w.key); {
			case err != nil:
				return w.driver.faults.unknown(ctx, "TransactWriteItems", err)
			case w.applied(ctx, moved):
				return nil
			}
		}
		return w.conflictWith(ctx, current)
	}
	return w.settle(ctx, "TransactWriteItems", err)
}
