// Package iamtest records which IAM actions the calls of clients need, to compare them with what policies grant.
package iamtest

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
)

// Rights records which IAM actions calls need, by the role of the client that makes them. Its zero value is empty and
// ready. It is safe for concurrent use.
type Rights struct {
	mu   sync.Mutex
	used map[string]map[string]struct{}
}

// As is an option of a client that makes its calls in that role.
func (r *Rights) As(role string) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("iamtest.Rights",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
					middleware.InitializeOutput, middleware.Metadata, error,
				) {
					r.add(role, actionsOf(middleware.GetOperationName(ctx), in.Parameters))
					return next.HandleInitialize(ctx, in)
				}), middleware.After)
		})
	}
}

func (r *Rights) add(role string, actions []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.used == nil {
		r.used = map[string]map[string]struct{}{}
	}
	if r.used[role] == nil {
		r.used[role] = map[string]struct{}{}
	}
	for _, action := range actions {
		r.used[role][action] = struct{}{}
	}
}

// Used returns the actions that calls in a role needed, such as "dynamodb:PutItem", sorted.
func (r *Rights) Used(role string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.used[role]))
}

// Check returns an error if calls in a role needed an action that is not granted, or if one is granted that no call
// needed. The latter only says something where all tests of the package ran, on a DynamoDB: where flags of `go test`
// left some out, or no call was made at all, it is not looked at.
func (r *Rights) Check(role string, granted []string) error {
	used := r.Used(role)
	for _, action := range used {
		if !slices.Contains(granted, action) {
			return fmt.Errorf("a client in the role %q needed %s, which is not granted", role, action)
		}
	}
	if len(used) == 0 || selective() {
		return nil
	}
	for _, action := range granted {
		if !slices.Contains(used, action) {
			return fmt.Errorf("the role %q is granted %s, which no test needed", role, action)
		}
	}
	return nil
}

// selective reports whether flags of `go test` leave tests out.
func selective() bool {
	for _, name := range []string{"test.run", "test.skip", "test.short", "test.list"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != f.DefValue {
			return true
		}
	}
	return false
}

// actionsOf returns the IAM actions that a call needs.
func actionsOf(operation string, input any) []string {
	const service = "dynamodb:"
	switch input := input.(type) {
	case *dynamodb.TransactWriteItemsInput: // needs the rights to what is in it, and none of its own
		return transactionActions(service, input.TransactItems)
	case *dynamodb.TransactGetItemsInput:
		return []string{service + "GetItem"}
	case *dynamodb.CreateTableInput:
		if len(input.Tags) > 0 {
			return []string{service + operation, service + "TagResource"}
		}
	}
	return []string{service + operation}
}

func transactionActions(service string, items []types.TransactWriteItem) []string {
	var actions []string
	for _, item := range items {
		switch {
		case item.Put != nil:
			actions = append(actions, service+"PutItem")
		case item.Update != nil:
			actions = append(actions, service+"UpdateItem")
		case item.Delete != nil:
			actions = append(actions, service+"DeleteItem")
		case item.ConditionCheck != nil:
			actions = append(actions, service+"ConditionCheckItem")
		}
	}
	return actions
}
