package conformance

import (
	"context"
	"fmt"
	"sync"

	"github.com/scsdynamo/scsdynamo/storage"
)

// DriverResults runs every case on a driver of its own, as RunDriver does, and returns what failed and what was skipped,
// by the name of the subtest.
func DriverResults(
	ctx context.Context, newDriver func() storage.Driver, opts ...DriverOption,
) (failed, skipped map[string]string) {
	failed, skipped = map[string]string{}, map[string]string{}
	options := newDriverOptions(opts)
	var (
		mu    sync.Mutex
		group sync.WaitGroup
	)
	for _, c := range driverCases() {
		group.Go(func() {
			result := c.check(ctx, newDriver(), options)
			mu.Lock()
			defer mu.Unlock()
			switch name := c.id + "_" + c.name; {
			case result.failure != "":
				failed[name] = fmt.Sprintf("rule: %s\n%s", c.rule, result.failure)
			case result.skipped != "":
				skipped[name] = result.skipped
			}
		})
	}
	group.Wait()
	return failed, skipped
}

// DriverConditions returns the conditions that the cases try, by how they list them.
func DriverConditions() map[string][]storage.Condition {
	p := newDriverProbe(context.Background(), nil, driverOptions{})
	return map[string][]storage.Condition{
		"one of each kind":           driverConditionsOf(p, p.record("any")),
		"all that can be told apart": p.conditionsFor(p.record("any")),
	}
}

// DriverCaseNames returns the names of all cases, as the subtests have them.
func DriverCaseNames() []string {
	var names []string
	for _, c := range driverCases() {
		names = append(names, c.id+"_"+c.name)
	}
	return names
}
