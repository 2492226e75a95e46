package lockstrategy_test

import (
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/strategytest"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		strategy func(*testing.T) lockstrategy.Strategy
		options  []strategytest.Option
	}{
		"none": {
			func(*testing.T) lockstrategy.Strategy { return lockstrategy.None() },
			[]strategytest.Option{strategytest.WithLastWriteWins()},
		},
		"optimistic": {func(*testing.T) lockstrategy.Strategy { return lockstrategy.Optimistic() }, nil},
		"merge":      {func(*testing.T) lockstrategy.Strategy { return lockstrategy.Merge(nil) }, nil},
		"lease": {
			func(*testing.T) lockstrategy.Strategy {
				return lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: 200 * time.Millisecond})
			},
			[]strategytest.Option{strategytest.WithTakeOverWithin(5 * time.Second)},
		},
		"lease without renewal": {
			func(*testing.T) lockstrategy.Strategy {
				return lockstrategy.Lease(lockstrategy.LeaseOptions{
					Duration: 200 * time.Millisecond, Renewal: -1,
					MaxWait: 200 * time.Millisecond,
				}) // shorter than a lease and its allowance
			},
			[]strategytest.Option{strategytest.WithTakeOverWithin(5 * time.Second)},
		},
		"the example": {
			func(*testing.T) lockstrategy.Strategy { return lastWins{} },
			[]strategytest.Option{
				strategytest.WithSkip("L-I1", "the last commit wins"),
				strategytest.WithSkip("L-REN-02", "the last commit wins"),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, test.strategy, test.options...)
		})
	}
}
