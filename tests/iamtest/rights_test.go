package iamtest_test

import (
	"flag"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/tests/iamtest"
)

// The calls fail, for want of a region and an endpoint: what they need does not depend on what becomes of them.
func TestRights(t *testing.T) {
	t.Parallel()
	item := func(id string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}}
	}
	rights := new(iamtest.Rights)
	app, admin := dynamodb.New(dynamodb.Options{}, rights.As("app")), dynamodb.New(dynamodb.Options{}, rights.As("admin"))
	ctx, name := t.Context(), aws.String("sessions")

	_, _ = app.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: item("a")})
	_, _ = admin.CreateTable(ctx, &dynamodb.CreateTableInput{TableName: name})
	if got, want := rights.Used("app"), []string{"dynamodb:GetItem"}; !slices.Equal(got, want) {
		t.Errorf("a read needs %v; want %v", got, want)
	}
	if got, want := rights.Used("admin"), []string{"dynamodb:CreateTable"}; !slices.Equal(got, want) {
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
	if got := rights.Used("app"); !slices.Equal(got, want) {
		t.Errorf("the application used %v; want %v: a transaction needs what is in it", got, want)
	}
	if got, want := rights.Used("admin"),
		[]string{"dynamodb:CreateTable", "dynamodb:TagResource"}; !slices.Equal(got, want) {
		t.Errorf("the administrator used %v; want %v", got, want)
	}
	if got := rights.Used("nobody"); len(got) != 0 {
		t.Errorf("nobody used %v", got)
	}

	if err := rights.Check("app", want); err != nil {
		t.Error(err)
	}
	if rights.Check("app", want[1:]) == nil {
		t.Error("an action that is not granted goes unnoticed")
	}
	some := false
	for _, name := range []string{"test.run", "test.skip", "test.short", "test.list"} {
		f := flag.Lookup(name)
		some = some || f.Value.String() != f.DefValue
	}
	if err := rights.Check("app", append(want, "dynamodb:Scan")); (err == nil) != some {
		t.Errorf("an action that no test needed: %v; only some tests run: %v", err, some)
	}
	if err := rights.Check("nobody", want); err != nil {
		t.Errorf("no calls at all: %v", err)
	}
}
