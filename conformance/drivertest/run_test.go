package drivertest_test

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/drivertest"
	"github.com/scsdynamo/scsdynamo/internal/tap"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

func TestDriverMemory(t *testing.T) {
	t.Parallel()
	drivertest.Run(t, func(*testing.T) storage.Driver { return memory.New(memory.WithExpiryIndex(3)) },
		drivertest.Options{Skip: map[string]string{"D-DATA-04": "storage/memory has no limit of size"}})
}

// TestDriverSharedBackend shows that the cases do not disturb each other on one backend.
func TestDriverSharedBackend(t *testing.T) {
	t.Parallel()
	shared := memory.New(memory.WithExpiryIndex(2))
	drivertest.Run(t, func(*testing.T) storage.Driver { return limited{shared} }, drivertest.Options{TooLarge: limit + 1})
}

func TestDriverSkipsVisibly(t *testing.T) {
	t.Parallel()
	// A driver that does no more than it must.
	plain := func() storage.Driver { return tap.Without(memory.New(), "Acquire", "Scan") }
	failed, skipped := drivertest.Results(t, plain, drivertest.Options{Skip: map[string]string{"D-CTX": "because"}})
	if len(failed) > 0 {
		t.Errorf("failed: %v", slices.Collect(maps.Keys(failed)))
	}
	for id, reason := range map[string]string{
		"D-SCAN-01":  "has no Scan",
		"D-INDEX-01": "has no index by expiry",
		"D-LEASE-01": "has no Acquire",
		"D-CTX-02":   "because",
		"D-DATA-04":  "Options.TooLarge",
	} {
		if seen, ok := byID(skipped, id); !ok || !strings.Contains(seen, reason) {
			t.Errorf("%s: skipped %v, because of %q; wanted the reason %q", id, ok, seen, reason)
		}
	}
}

// TestDriverTriesEveryCondition shows that no kind of condition is left out.
func TestDriverTriesEveryCondition(t *testing.T) {
	t.Parallel()
	for list, tried := range drivertest.Conditions() {
		kinds := map[storage.ConditionKind]bool{}
		for _, c := range tried {
			kinds[c.Kind] = true
		}
		if len(kinds) != storage.Kinds {
			t.Errorf("%s: %d kinds of conditions are tried; there are %d", list, len(kinds), storage.Kinds)
		}
	}
}

// TestDriverFindsFaults runs the suite on drivers with one fault each. The cases named must fail: they are those that
// are about the rule which the fault breaks. Others may fail as well. No case may be there that no fault makes fail.
func TestDriverFindsFaults(t *testing.T) {
	t.Parallel()
	idle := drivertest.CaseNames()
	cases := len(idle)
	var mu sync.Mutex
	t.Cleanup(func() {
		if len(idle) > 0 {
			t.Errorf("no fault makes these cases fail: %v", idle)
		}
	})
	for _, fault := range faults() {
		t.Run(strings.ReplaceAll(fault.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			newDriver := func() storage.Driver { return fault.driver(memory.New(memory.WithExpiryIndex(3))) }
			failed, _ := drivertest.Results(t, newDriver, drivertest.Options{TooLarge: limit + 1, IndexLag: 1})
			for _, id := range fault.found {
				message, ok := byID(failed, id)
				if !ok {
					t.Errorf("case %s did not fail on a driver that %s; failed: %v", id, fault.name, slices.Sorted(maps.Keys(failed)))
				} else if !strings.Contains(message, "rule ") || !strings.Contains(message, "did: ") ||
					!strings.Contains(message, "saw: ") {
					t.Errorf("the failure of %s does not say what the rule is, what was done and what was seen:\n%s", id, message)
				}
			}
			if len(failed) > cases/2 {
				return // What breaks nearly everything says nothing about a single case.
			}
			mu.Lock()
			defer mu.Unlock()
			idle = slices.DeleteFunc(idle, func(name string) bool { _, ok := failed[name]; return ok })
		})
	}
}

func byID(results map[string]string, id string) (string, bool) {
	for name, result := range results {
		if strings.HasPrefix(name, id) {
			return result, true
		}
	}
	return "", false
}

// TestOptionProblems shows that a case which is not there, or that is left out without a reason, is told.
func TestOptionProblems(t *testing.T) {
	t.Parallel()
	err := drivertest.CheckOptions(drivertest.Options{Skip: map[string]string{"D-GET-01": "", "X99": "no such case"}})
	for _, want := range []string{`"D-GET-01"`, `"X99"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %s: %v", want, err)
		}
	}
	if err := drivertest.CheckOptions(drivertest.Options{Skip: map[string]string{"D-SCAN": "a reason"}}); err != nil {
		t.Errorf("a right option is refused: %v", err)
	}
}
