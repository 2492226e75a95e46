package boltstore_test

import (
	"testing"

	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

func TestStrategies(t *testing.T) {
	t.Parallel()
	storetest.Strategies(t, func(t *testing.T) storage.Driver { return open(t) })
}

func TestStrategyConformance(t *testing.T) {
	t.Parallel()
	storetest.RunStrategies(t, func(t *testing.T) storage.Driver { t.Helper(); return open(t) })
}
