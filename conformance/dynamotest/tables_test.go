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

// provisioned is a table of provisioned capacity.
func provisioned(name string, protected bool) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModeProvisioned, DeletionProtectionEnabled: &protected,
		ProvisionedThroughput: &types.ProvisionedThroughput{
			ReadCapacityUnits:  aws.Int64(5),
			WriteCapacityUnits: aws.Int64(5),
		},
		AttributeDefinitions: []types.AttributeDefinition{{
			AttributeName: aws.String("id"),
			AttributeType: types.ScalarAttributeTypeS,
		}},
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	}
}

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
				if _, err := client.CreateTable(t.Context(), provisioned(name, false)); err != nil {
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

// A table that is deleted after its test is in the way of no other that is made meanwhile.
func TestTablesAreDeletedAtTheSameTime(t *testing.T) {
	t.Parallel()
	client := dynamotest.Client(t, func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
	var making sync.WaitGroup
	for maker := range 8 {
		making.Go(func() {
			for n := range 6 {
				t.Run(strconv.Itoa(maker)+"-"+strconv.Itoa(n), func(t *testing.T) {
					name := dynamotest.TableName(t, client)
					if _, err := client.CreateTable(t.Context(), provisioned(name, true)); err != nil {
						t.Errorf("made: %v", err)
					}
				})
			}
		})
	}
	making.Wait()
}
