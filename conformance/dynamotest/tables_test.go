package dynamotest_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// Tables of provisioned capacity can be made by tests that run at the same time, on engines that cannot do that, too.
func TestTablesAtTheSameTime(t *testing.T) {
	t.Parallel()
	client := dynamotest.Client(t)
	name := dynamotest.TableName(t, client)
	var making sync.WaitGroup
	for maker := range 8 {
		making.Go(func() {
			for n := range 10 {
				name := name + "-" + strconv.Itoa(maker) + "-" + strconv.Itoa(n)
				_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
					TableName: &name, BillingMode: types.BillingModeProvisioned,
					ProvisionedThroughput: &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(5), WriteCapacityUnits: aws.Int64(5)},
					AttributeDefinitions:  []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
					KeySchema:             []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
				})
				if err != nil {
					t.Errorf("made: %v", err)
					continue
				}
				if _, err := client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
					t.Errorf("deleted: %v", err)
				}
			}
		})
	}
	making.Wait()
}
