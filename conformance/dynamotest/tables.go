package dynamotest

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
)

// tables is held while a table is made, changed or deleted.
var tables sync.Mutex

// oneTableAtATime keeps clients of this process from changing tables at the same time: DynamoDB Local 3.3.1 answers
// with InternalFailure where a table of provisioned capacity is made while another one is made or deleted.
func oneTableAtATime(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("dynamotest.OneTableAtATime", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		switch in.Parameters.(type) {
		case *dynamodb.CreateTableInput, *dynamodb.UpdateTableInput, *dynamodb.DeleteTableInput:
			tables.Lock()
			defer tables.Unlock()
		}
		return next.HandleInitialize(ctx, in)
	}), middleware.After)
}
