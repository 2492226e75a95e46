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
		options  strategytest.Options
	}{
		"none": {
			func(*testing.T) lockstrategy.Strategy { return lockstrategy.None() },
			strategytest.Options{LastWriteWins: true},
		},
		"optimistic": {func(*testing.T) lockstrategy.Strategy { return lockstrategy.Optimistic() }, strategytest.Options{}},
		"merge":      {func(*testing.T) lockstrategy.Strategy { return lockstrategy.Merge(nil) }, strategytest.Options{}},
		"lease": {
			func(*testing.T) lockstrategy.Strategy {
				return lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: 200 * time.Millisecond})
			},
			strategytest.Options{TakeOverWithin: 5 * time.Second},
		},
		"lease without renewal": {
			func(*testing.T) lockstrategy.Strategy {
				return lockstrategy.Lease(lockstrategy.LeaseOptions{
					Duration: time.Second, Renewal: -1,
					MaxWait: time.Second,
				}) // shorter than a lease and its allowance
			},
			strategytest.Options{TakeOverWithin: 5 * time.Second},
		},
		"the example": {
			func(*testing.T) lockstrategy.Strategy { return lastWins{} },
			strategytest.Options{Skip: map[string]string{"L-I1": "the last commit wins", "L-REN-02": "the last commit wins"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, test.strategy, test.options)
		})
	}
}
