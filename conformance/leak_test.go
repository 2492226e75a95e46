package conformance_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/scsdynamo/scsdynamo/conformance"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// The suites leave nothing running where the store is right. Not parallel: the broken stores of other tests leave much.
func TestSuitesLeaveNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("stores", func(t *testing.T) { wantConformance(t, unchanged) })
	t.Run("drivers", func(t *testing.T) {
		conformance.RunDriver(t, func(*testing.T) storage.Driver { return driverLimited{memory.New()} },
			conformance.WithTooLarge(driverLimit+1))
	})
	goleak.VerifyNone(t, before)
}
