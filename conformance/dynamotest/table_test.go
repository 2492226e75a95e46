package dynamotest_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// table is a table whose items are keys.
type table struct {
	*dynamodb.Client
	name string
}

// newTable creates a table, through a client without faults, and hands it out with the client of the test.
func newTable(t *testing.T, client *dynamodb.Client) table {
	t.Helper()
	plain := dynamotest.Client(t)
	name := dynamotest.TableName(t, plain)
	createTable(t, plain, name, false)
	return table{client, name}
}

func createTable(t *testing.T, client *dynamodb.Client, name string, protected bool) {
	t.Helper()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:                 &name,
		BillingMode:               types.BillingModePayPerRequest,
		DeletionProtectionEnabled: &protected,
		AttributeDefinitions: []types.AttributeDefinition{{
			AttributeName: aws.String("id"),
			AttributeType: types.ScalarAttributeTypeS,
		}},
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = dynamodb.NewTableExistsWaiter(client,
		func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = 10 * time.Millisecond }).
		Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: &name}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
}

func item(id string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: id}}
}

// put adds an item that is not there yet.
func (tab table) put(ctx context.Context, id string) error {
	_, err := tab.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &tab.name, Item: item(id), ConditionExpression: aws.String("attribute_not_exists(id)"),
	})
	return err
}

func (tab table) remove(ctx context.Context, id string) error {
	_, err := tab.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &tab.name, Key: item(id)})
	return err
}

// wantItem checks whether the item is there, through a client without faults.
func (tab table) wantItem(t *testing.T, id string, want bool) {
	t.Helper()
	output, err := dynamotest.Client(t).GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: &tab.name, Key: item(id), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := output.Item != nil; got != want {
		t.Errorf("item %s is there: %v, want %v", id, got, want)
	}
}

func TestTableNameIsValidAndUnique(t *testing.T) {
	t.Parallel()
	client := dynamotest.Client(t)
	const strange = "ünusual/name: with spaces and more than enough letters to fill all that DynamoDB allows, which is " +
		"255 " +
		"letters, as is the case for test names that are made of the names of all the tests, cases and subcases around " +
		"them, each of which explains itself at length"
	t.Run(strange, func(t *testing.T) {
		t.Parallel()
		first, second := dynamotest.TableName(t, client), dynamotest.TableName(t, client)
		if first == second {
			t.Errorf("twice the same name %s", first)
		}
		if !regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`).MatchString(first) {
			t.Errorf("%q is no table name", first)
		}
		createTable(t, client, first, false)
	})
}

func TestTableIsDeletedAfterTheTest(t *testing.T) {
	plain := dynamotest.Client(t)
	for _, protected := range []bool{false, true} {
		var name string
		t.Run(fmt.Sprintf("protected=%v", protected), func(t *testing.T) {
			faults, recorder := new(dynamotest.Faults), new(dynamotest.Recorder)
			name = dynamotest.TableName(t, dynamotest.Client(t, faults.Install, recorder.Install))
			createTable(t, plain, name, protected)
			faults.Down()
			// Cleanups run last in, first out: this one after that of TableName.
			t.Cleanup(func() {
				if operations := recorder.Operations(); len(operations) > 0 {
					t.Errorf("the recorder saw the deletion: %v", operations)
				}
			})
		})
		_, err := plain.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
		if absent := (*types.ResourceNotFoundException)(nil); !errors.As(err, &absent) {
			t.Errorf("protected=%v: the table is still there: %v", protected, err)
		}
	}
}
