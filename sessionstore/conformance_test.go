package sessionstore_test

import (
	"testing"

	"github.com/scsdynamo/scsdynamo/internal/storetest"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, 0, func(*testing.T) storetest.Backend { return storetest.Backend{Driver: memory.New()} })
}
