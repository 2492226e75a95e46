// Package deadline bounds a request of a DynamoDB client with all its attempts.
package deadline

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
)

// ID names the middleware that ends requests.
const ID = "scsdynamo.OperationTimeout"

// Set bounds each request of a client, in place of what bounded it before.
func Set(o *dynamodb.Options, timeout time.Duration) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		_, _ = stack.Initialize.Remove(ID) // there may be none
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc(ID,
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
				middleware.InitializeOutput, middleware.Metadata, error,
			) {
				ctx, cancel := context.WithTimeout(ctx, timeout)
				defer cancel()
				return next.HandleInitialize(ctx, in)
			}), middleware.Before)
	})
}
