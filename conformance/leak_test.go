package conformance_test

import (
	"testing"

	"go.uber.org/goleak"
)

// The suite leaves nothing running where the store is right. Not parallel: the broken stores of other tests leave much.
func TestRunLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("run", func(t *testing.T) { wantConformance(t, unchanged) })
	goleak.VerifyNone(t, before)
}
