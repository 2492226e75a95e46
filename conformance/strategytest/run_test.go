package strategytest_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/strategytest"
	"github.com/scsdynamo/scsdynamo/internal/tap"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// TestStrategyMutants shows that each defect is seen by the cases that are about it, and that each case sees at least
// one.
func TestStrategyMutants(t *testing.T) {
	t.Parallel()
	mutations := mutations()
	ids, rules := strategytest.Cases()
	var mu sync.Mutex
	killers := map[string]bool{}
	for _, m := range mutations {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			var options strategytest.Options
			if m.locks {
				options.TakeOverWithin = 2 * time.Second
			}
			for _, id := range m.killers {
				failures, _ := strategytest.Examine(t, id, func(*testing.T) lockstrategy.Strategy { return m.broken() }, options)
				if len(failures) == 0 {
					t.Errorf("%s does not see: %s", id, m.name)
					continue
				}
				if !strings.Contains(failures[0], "rule "+id+" (lock strategies): "+rules[id]) ||
					!strings.Contains(failures[0], "saw: ") {
					t.Errorf("the message of %s does not say what the rule is and what was seen:%s", id, failures[0])
				}
				mu.Lock()
				killers[id] = true
				mu.Unlock()
			}
		})
	}
	t.Cleanup(func() { // After all of them.
		for _, m := range mutations {
			if slices.ContainsFunc(m.killers, func(id string) bool { return !killers[id] }) {
				return // Not all were run, or it has been told.
			}
		}
		for _, id := range ids {
			if !killers[id] {
				t.Errorf("case %s kills no mutant", id)
			}
		}
	})
}

// TestStrategies runs the suite as anybody would; package lockstrategy runs it on all of its strategies.
func TestStrategies(t *testing.T) {
	t.Parallel()
	shared := memory.New()
	strategytest.Run(t, func(*testing.T) lockstrategy.Strategy { return shortLease() },
		strategytest.Options{TakeOverWithin: 10 * time.Second, NewDriver: func(*testing.T) storage.Driver { return shared }})
}

// TestStrategySkips shows what is left out, and that it says why.
func TestStrategySkips(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		id, want string
		options  strategytest.Options
	}{
		{"L-I1-01", "LastWriteWins", strategytest.Options{LastWriteWins: true}},
		{"L-I2-05", "LastWriteWins", strategytest.Options{LastWriteWins: true}},
		{"L-SES-04", "because", strategytest.Options{Skip: map[string]string{"L-SES": "because"}}},
		{"L-I6-04", "TakeOverWithin", strategytest.Options{}},
	} {
		failures, skipped := strategytest.Examine(t, test.id,
			func(*testing.T) lockstrategy.Strategy { return lockstrategy.Optimistic() }, test.options)
		if len(failures) > 0 || !strings.Contains(skipped, test.want) {
			t.Errorf("%s: skipped: %q, want a reason with %q; failures: %q", test.id, skipped, test.want, failures)
		}
	}
}

// TestStrategyThatCannotWork shows what a wrong factory leads to.
func TestStrategyThatCannotWork(t *testing.T) {
	t.Parallel()
	plain := strategytest.Options{
		NewDriver: func(*testing.T) storage.Driver { return tap.Without(memory.New(), "Acquire") },
	}
	for name, test := range map[string]struct {
		strategy lockstrategy.Strategy
		want     string
	}{
		"nil":                      {nil, "newStrategy returned nil"},
		"an option that cannot be": {lockstrategy.Lease(lockstrategy.LeaseOptions{MaxWait: -1}), "LeaseOptions.MaxWait"},
		"a lease without leases":   {lockstrategy.Lease(lockstrategy.LeaseOptions{}), "a driver without leases"},
	} {
		failures, _ := strategytest.Examine(t, "L-SES-01", func(*testing.T) lockstrategy.Strategy { return test.strategy },
			plain)
		if len(failures) != 1 || !strings.Contains(failures[0], test.want) {
			t.Errorf("%s: failures: %q", name, failures)
		}
	}
}

// TestUndeclaredWait shows that a strategy which makes others wait for the dead must say so.
func TestUndeclaredWait(t *testing.T) {
	t.Parallel()
	slow := func(*testing.T) lockstrategy.Strategy {
		return lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: 3 * time.Second, MaxWait: 5 * time.Second})
	}
	failures, _ := strategytest.Examine(t, "L-I5-01", slow, strategytest.Options{})
	if len(failures) != 1 || !strings.Contains(failures[0], "TakeOverWithin") {
		t.Errorf("failures: %q", failures)
	}
}
