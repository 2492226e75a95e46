package dynamostore_test

import (
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/storetest"
	"github.com/scsdynamo/scsdynamo/storage"
)

func TestStrategies(t *testing.T) {
	t.Parallel()
	client := dynamotest.Client(t)
	shared := createWithoutTTL(t, client, dynamostore.Table{})
	storetest.Strategies(t, func(t *testing.T) storage.Driver {
		t.Helper()
		table := shared
		table.PartitionKey.Prefix = t.Name() + "#" // scenarios of their own
		driver, err := dynamostore.NewDriver(client, table)
		if err != nil {
			t.Fatal(err)
		}
		return driver
	})
}
