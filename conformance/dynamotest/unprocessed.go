package dynamotest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
)

// Unprocessed makes the next n calls of BatchGetItem or BatchWriteItem leave some of their items unprocessed, as a busy
// table does: those items are not sent, and the answer names them. The last items are left, at most as many as there
// are.
//
// It strikes calls, not attempts: an answer with unprocessed items is a success, which the SDK does not retry.
func (f *Faults) Unprocessed(operation string, n, items int) {
	if operation != "BatchGetItem" && operation != "BatchWriteItem" {
		panic(fmt.Sprintf("dynamotest: Unprocessed on %q: only BatchGetItem and BatchWriteItem leave items unprocessed",
			operation))
	}
	f.append(operation, &fault{left: n, name: "Unprocessed", withhold: items})
}

// batchFaults leaves items of batches unprocessed. It works before the request is serialized and signed, so that what
// is sent is a valid request for the rest.
type batchFaults struct{ *Faults }

// ID implements middleware.InitializeMiddleware.
func (*batchFaults) ID() string { return "DynamotestUnprocessed" }

// HandleInitialize implements middleware.InitializeMiddleware.
func (f *batchFaults) HandleInitialize(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
	operation := middleware.GetOperationName(ctx)
	fault, _ := f.next(operation, true)
	if fault == nil {
		return next.HandleInitialize(ctx, in)
	}
	switch input := in.Parameters.(type) {
	case *dynamodb.BatchGetItemInput:
		rest := *input
		var left map[string]types.KeysAndAttributes
		rest.RequestItems, left = split(input.RequestItems, fault.withhold,
			func(k types.KeysAndAttributes) []map[string]types.AttributeValue { return k.Keys },
			func(k types.KeysAndAttributes, keys []map[string]types.AttributeValue) types.KeysAndAttributes {
				k.Keys = keys
				return k
			})
		output := &dynamodb.BatchGetItemOutput{Responses: map[string][]map[string]types.AttributeValue{}}
		if len(rest.RequestItems) > 0 {
			if out, metadata, err = next.HandleInitialize(ctx, middleware.InitializeInput{Parameters: &rest}); err != nil {
				return out, metadata, err
			}
			output = out.Result.(*dynamodb.BatchGetItemOutput)
		}
		output.UnprocessedKeys = join(output.UnprocessedKeys, left,
			func(a, b types.KeysAndAttributes) types.KeysAndAttributes {
				b.Keys = append(a.Keys, b.Keys...)
				return b
			})
		out.Result = output
	case *dynamodb.BatchWriteItemInput:
		rest := *input
		var left map[string][]types.WriteRequest
		rest.RequestItems, left = split(input.RequestItems, fault.withhold,
			func(writes []types.WriteRequest) []types.WriteRequest { return writes },
			func(_, writes []types.WriteRequest) []types.WriteRequest { return writes })
		output := &dynamodb.BatchWriteItemOutput{}
		if len(rest.RequestItems) > 0 {
			if out, metadata, err = next.HandleInitialize(ctx, middleware.InitializeInput{Parameters: &rest}); err != nil {
				return out, metadata, err
			}
			output = out.Result.(*dynamodb.BatchWriteItemOutput)
		}
		output.UnprocessedItems = join(output.UnprocessedItems, left,
			func(a, b []types.WriteRequest) []types.WriteRequest { return append(a, b...) })
		out.Result = output
	}
	return out, metadata, nil
}

// split divides what is asked of each table into what is sent and the last few items, which are left.
func split[T, Item any](
	requests map[string]T, few int, items func(T) []Item, with func(T, []Item) T,
) (sent, left map[string]T) {
	sent, left = map[string]T{}, map[string]T{}
	// By name, so that the same items are left each time.
	for _, table := range slices.Backward(slices.Sorted(maps.Keys(requests))) {
		request := requests[table]
		all := items(request)
		cut := max(0, len(all)-few)
		few -= len(all) - cut
		if cut > 0 {
			sent[table] = with(request, slices.Clone(all[:cut]))
		}
		if cut < len(all) {
			left[table] = with(request, slices.Clone(all[cut:]))
		}
	}
	return sent, left
}

// join adds what was left to what the engine itself left unprocessed.
func join[T any](unprocessed, left map[string]T, both func(a, b T) T) map[string]T {
	if unprocessed == nil {
		unprocessed = map[string]T{}
	}
	for table, items := range left {
		unprocessed[table] = both(unprocessed[table], items)
	}
	return unprocessed
}
