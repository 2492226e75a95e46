package sessionstore_test

import (
	"testing"

	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

func TestStrategies(t *testing.T) {
	t.Parallel()
	storetest.Strategies(t, func(*testing.T) storage.Driver { return memory.New() })
}
