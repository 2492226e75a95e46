package dynamostore_test

import (
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

func TestStrategies(t *testing.T) {
	t.Parallel()
	storetest.Strategies(t, onOneTable(t))
}

func TestStrategyConformance(t *testing.T) {
	t.Parallel()
	storetest.RunStrategies(t, onOneTable(t))
}

// onOneTable makes drivers that share a table, each with a prefix for its test.
func onOneTable(t *testing.T) func(t *testing.T) storage.Driver {
	t.Helper()
	client := dynamotest.Client(t)
	table := createWithoutTTL(t, client, dynamostore.Table{})
	return func(t *testing.T) storage.Driver {
		t.Helper()
		mine := table
		mine.PartitionKey.Prefix = t.Name() + "#"
		driver, err := dynamostore.NewDriver(client, mine)
		if err != nil {
			t.Fatal(err)
		}
		return driver
	}
}
