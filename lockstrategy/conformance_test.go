package lockstrategy_test

import (
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		strategy func(*testing.T) lockstrategy.Strategy
		options  []conformance.StrategyOption
	}{
		"none": {
			func(*testing.T) lockstrategy.Strategy { return lockstrategy.None() },
			[]conformance.StrategyOption{conformance.WithLastWriteWins()},
		},
		"optimistic": {func(*testing.T) lockstrategy.Strategy { return lockstrategy.Optimistic() }, nil},
		"merge":      {func(*testing.T) lockstrategy.Strategy { return lockstrategy.Merge() }, nil},
		"lease": {
			func(*testing.T) lockstrategy.Strategy {
				return lockstrategy.Lease(lockstrategy.WithDuration(200 * time.Millisecond))
			},
			[]conformance.StrategyOption{conformance.WithTakeOverWithin(5 * time.Second)},
		},
		"lease without renewal": {
			func(*testing.T) lockstrategy.Strategy {
				return lockstrategy.Lease(lockstrategy.WithDuration(200*time.Millisecond), lockstrategy.WithRenewal(0),
					lockstrategy.WithMaxWait(200*time.Millisecond)) // shorter than a lease and its allowance
			},
			[]conformance.StrategyOption{conformance.WithTakeOverWithin(5 * time.Second)},
		},
		"the example": {
			func(*testing.T) lockstrategy.Strategy { return lastWins{} },
			[]conformance.StrategyOption{
				conformance.WithoutStrategyCases("L-I1", "the last commit wins"),
				conformance.WithoutStrategyCases("L-REN-02", "the last commit wins"),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conformance.RunStrategy(t, test.strategy, test.options...)
		})
	}
}
