package dynamostore_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/drivertest"
	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// layouts are ways to lay out a table that all cases must hold for.
var layouts = map[string]dynamostore.Table{
	"plain": {},
	"single table": {
		PartitionKey: dynamostore.Key{Name: "pk", Prefix: "SESSION#", Suffix: "#v1"},
		SortKey:      dynamostore.Key{Name: "sk", Prefix: "SESSION#", Suffix: "#meta"},
		// Words that DynamoDB reserves.
		Attributes: dynamostore.Attributes{
			Data: "data", Expiry: "ttl", TTL: "time", Version: "token", CreatedAt: "user",
			Ancestry: "order", ExpiryShard: "group", ExpiryHour: "hour",
		},
		ExpiryIndex: dynamostore.ExpiryIndex{Name: "by-hour", Shards: 3},
	},
}

// createWithoutTTL makes a table whose expired items stay: DynamoDB Local deletes them within seconds, and the cases
// want to look at them.
func createWithoutTTL(t testing.TB, client *dynamodb.Client, table dynamostore.Table) dynamostore.Table {
	t.Helper()
	table.Name = dynamotest.TableName(t, client)
	if err := table.Create(t.Context(), dynamotest.WithoutTTL(client)); err != nil {
		t.Fatal(err)
	}
	return table
}

func orDefault(name, fallback string) string {
	if name == "" {
		return fallback
	}
	return name
}

func TestDriverConformance(t *testing.T) {
	t.Parallel()
	for name, layout := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drivertest.Run(t, func(t *testing.T) storage.Driver {
				t.Helper()
				table := createWithoutTTL(t, dynamotest.Client(t), layout)
				client := appClient(t)
				if layout.ExpiryIndex.Name != "" {
					client = dynamotest.Client(t) // an application has no right to query the index
				}
				driver, err := dynamostore.NewDriver(client, table)
				if err != nil {
					t.Fatal(err)
				}
				return driver
			}, drivertest.Options{TooLarge: 400*1024 + 1})
		})
	}
}
