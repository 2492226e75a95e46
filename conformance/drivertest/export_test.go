package drivertest

import (
	"strings"
	"sync"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Results runs every case on a driver of its own, as Run does, and returns what failed and what was skipped, by the
// name of the subtest.
func Results(t *testing.T, newDriver func() storage.Driver, options Options) (failed, skipped map[string]string) {
	t.Helper()
	failed, skipped = map[string]string{}, map[string]string{}
	if err := options.validate(); err != nil {
		t.Fatal(err)
	}
	var (
		mu    sync.Mutex
		group sync.WaitGroup
		run   trial.Run
	)
	for _, c := range allCases() {
		group.Go(func() {
			outcome := c.examine(t, &run, func(*testing.T) storage.Driver { return newDriver() }, options)
			mu.Lock()
			defer mu.Unlock()
			switch name := c.about().Title(); {
			case len(outcome.Failures) > 0:
				failed[name] = strings.Join(outcome.Failures, "\n")
			case outcome.Skipped != "":
				skipped[name] = outcome.Skipped
			}
		})
	}
	group.Wait()
	return failed, skipped
}

// CheckOptions returns what Run would say about options.
func CheckOptions(options Options) error { return options.validate() }

// Conditions returns the conditions that the cases try, by how they list them.
func Conditions() map[string][]storage.Condition {
	p := newProbe(nil, nil, Options{})
	return map[string][]storage.Condition{
		"one of each kind":           conditionsOf(p, p.record("any")),
		"all that can be told apart": p.conditionsFor(p.record("any")),
	}
}

// CaseNames returns the names of all cases, as the subtests have them.
func CaseNames() []string {
	var names []string
	for _, c := range allCases() {
		names = append(names, c.about().Title())
	}
	return names
}
