package dynamotest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// A test of what a store does when the answer to its write is lost. It needs a TestMain that calls Main.
func Example() {
	test := func(t *testing.T) {
		faults := new(dynamotest.Faults)
		client := dynamotest.Client(t, faults.Install)
		name := dynamotest.TableName(t, client)
		createTable(t, client, name, false)

		faults.LoseResponse("PutItem", 1)
		put := func(ctx context.Context) error {
			_, err := client.PutItem(ctx, &dynamodb.PutItemInput{
				TableName:           &name,
				Item:                map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "a"}},
				ConditionExpression: aws.String("attribute_not_exists(id)"),
			})
			return err
		}
		// The SDK tries again, and fails on the item that the first attempt wrote.
		var failed *types.ConditionalCheckFailedException
		if err := put(t.Context()); !errors.As(err, &failed) {
			t.Errorf("the retry did not meet its own write: %v", err)
		}
	}
	_ = test
}
