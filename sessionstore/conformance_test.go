package sessionstore_test

import (
	"testing"

	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Capabilities{},
		func(*testing.T) storetest.Backend { return storetest.Backend{Driver: memory.New()} })
}
