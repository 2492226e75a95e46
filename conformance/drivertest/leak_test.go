package drivertest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/scsdynamo/scsdynamo/conformance/drivertest"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// The suite leaves nothing running where the driver is right. Not parallel: the broken drivers of other tests leave
// much.
func TestRunLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("run", func(t *testing.T) {
		drivertest.Run(t, func(*testing.T) storage.Driver { return limited{memory.New()} },
			drivertest.Options{TooLarge: limit + 1})
	})
	goleak.VerifyNone(t, before)
}
