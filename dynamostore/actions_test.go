package dynamostore_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
)

// usedActions records which IAM actions calls need, by the role of the client that makes them. It is safe for concurrent
// use.
type usedActions struct {
	mu   sync.Mutex
	used map[string]map[string]struct{}
}

// as is an option of a client that makes its calls in that role.
func (r *usedActions) as(role string) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("UsedActions",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
					middleware.InitializeOutput, middleware.Metadata, error,
				) {
					r.add(role, actionsOf(middleware.GetOperationName(ctx), in.Parameters))
					return next.HandleInitialize(ctx, in)
				}), middleware.After)
		})
	}
}

func (r *usedActions) add(role string, actions []string) {
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

// by returns the actions that calls in a role needed, such as "dynamodb:PutItem", sorted.
func (r *usedActions) by(role string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.used[role]))
}

// check returns an error if calls in a role needed an action that is not granted, or if one is granted that no call
// needed. The latter only says something where all tests of the package ran, on a DynamoDB: where flags of `go test`
// left some out, or no call was made at all, it is not looked at.
func (r *usedActions) check(role string, granted []string) error {
	used := r.by(role)
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

// The calls fail, for want of a region and an endpoint: what they need does not depend on what becomes of them.
func TestUsedActions(t *testing.T) {
	t.Parallel()
	item := func(id string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}}
	}
	rights := new(usedActions)
	app, admin := dynamodb.New(dynamodb.Options{}, rights.as("app")), dynamodb.New(dynamodb.Options{}, rights.as("admin"))
	ctx, name := t.Context(), aws.String("sessions")

	_, _ = app.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: item("a")})
	_, _ = admin.CreateTable(ctx, &dynamodb.CreateTableInput{TableName: name})
	if got, want := rights.by("app"), []string{"dynamodb:GetItem"}; !slices.Equal(got, want) {
		t.Errorf("a read needs %v; want %v", got, want)
	}
	if got, want := rights.by("admin"), []string{"dynamodb:CreateTable"}; !slices.Equal(got, want) {
		t.Errorf("a table without tags needs %v; want %v", got, want)
	}

	_, _ = app.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: name, Item: item("a")}},
		{Delete: &types.Delete{TableName: name, Key: item("b")}},
		{Update: &types.Update{TableName: name, Key: item("c"), UpdateExpression: aws.String("REMOVE a")}},
		{ConditionCheck: &types.ConditionCheck{TableName: name, Key: item("d"), ConditionExpression: aws.String("a")}},
	}})
	_, _ = admin.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: name, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
	})
	want := []string{
		"dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
	}
	if got := rights.by("app"); !slices.Equal(got, want) {
		t.Errorf("the application used %v; want %v: a transaction needs what is in it", got, want)
	}
	if got, want := rights.by("admin"), []string{"dynamodb:CreateTable", "dynamodb:TagResource"}; !slices.Equal(got, want) {
		t.Errorf("the administrator used %v; want %v", got, want)
	}
	if got := rights.by("nobody"); len(got) != 0 {
		t.Errorf("nobody used %v", got)
	}

	if err := rights.check("app", want); err != nil {
		t.Error(err)
	}
	if rights.check("app", want[1:]) == nil {
		t.Error("an action that is not granted goes unnoticed")
	}
	some := false
	for _, name := range []string{"test.run", "test.skip", "test.short", "test.list"} {
		f := flag.Lookup(name)
		some = some || f.Value.String() != f.DefValue
	}
	if err := rights.check("app", append(want, "dynamodb:Scan")); (err == nil) != some {
		t.Errorf("an action that no test needed: %v; only some tests run: %v", err, some)
	}
	if err := rights.check("nobody", want); err != nil {
		t.Errorf("no calls at all: %v", err)
	}
}
