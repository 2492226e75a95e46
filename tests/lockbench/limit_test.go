package lockbench_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

// TestBaselineLosesMutualExclusion reproduces what aws-sessionstore-dynamodb does with 8 requests to one session: each
// that waits remembers when the first lock expires, and then takes the lock from whoever has it.
func TestBaselineLosesMutualExclusion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := contend(t, openSlowMemory(1), contender{name: "baseline", new: newBaseline})
		want := outcome{succeeded: 2, kept: 2, inside: contending - 1, count: count{Calls: 36, Refused: 19}}
		if r.outcome != want {
			t.Errorf("%+v; want %+v", r, want)
		}
	})
}

// TestMeasurement shows that it finds lost updates and refused commits where there are some.
func TestMeasurement(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		strategy func() lockstrategy.Strategy
		want     outcome
	}{
		"lost": {
			lockstrategy.None,
			outcome{succeeded: contending, kept: 1, inside: contending, count: count{Calls: 2 * contending}},
		},
		"refused": {
			lockstrategy.Optimistic,
			outcome{succeeded: 1, kept: 1, inside: contending, count: count{Calls: 2 * contending, Refused: contending - 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if r := contend(t, openSlowMemory(2), contender{name: name, new: test.strategy}); r.outcome != test.want {
					t.Errorf("%+v; want %+v", r, test.want)
				}
			})
		})
	}
}

// TestLimits asserts what the project promises for requests that meet in one session, on each engine, and many times
// over in memory, where the clock is a fake one: who waits for a lease asks again at random intervals.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, c := range contenders {
		if c.limit == nil {
			continue
		}
		for processes := 1; processes <= 2; processes++ {
			name := fmt.Sprintf("%s/%d", c.name, processes)
			t.Run(name+"/fake_clock", func(t *testing.T) {
				t.Parallel()
				for range 100 {
					synctest.Test(t, func(t *testing.T) {
						c.limit.check(t, contend(t, openSlowMemory(processes), c), processes)
					})
				}
			})
			for _, engine := range engines {
				t.Run(name+"/"+engine.name, func(t *testing.T) {
					t.Parallel()
					c.limit.check(t, contend(t, engine.open(t, processes), c), processes)
				})
			}
		}
	}
}

// check fails the test where updates were lost, too many handlers had the session, or it was too dear.
func (l *limit) check(t *testing.T, r result, processes int) {
	t.Helper()
	if r.succeeded != contending || r.kept != contending || r.inside > l.inside {
		t.Errorf("%+v; %d requests must succeed, their updates be kept, and %d be inside at once", r, contending, l.inside)
	}
	calls, refused := l.calls[processes-1], l.refused[processes-1]
	if r.Calls > calls || r.Refused > refused {
		t.Errorf("%+v; at most %d calls and %d refused writes are promised", r, calls, refused)
	}
}
