package strategytest

import (
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

// Examine runs one case and returns what Run would report.
func Examine(
	t *testing.T, id string, newStrategy func(*testing.T) lockstrategy.Strategy, options Options,
) (failures []string, skipped string) {
	t.Helper()
	if err := options.validate(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range allCases() {
		if tc.id == id {
			outcome := tc.examine(t, new(trial.Run), newStrategy, options)
			return outcome.Failures, outcome.Skipped
		}
	}
	t.Fatalf("there is no case %q", id)
	return nil, ""
}

// Cases returns the rule of each case by its id, and the ids in order.
func Cases() (ids []string, rules map[string]string) {
	rules = map[string]string{}
	for _, tc := range allCases() {
		ids = append(ids, tc.id)
		rules[tc.id] = tc.rule
	}
	return ids, rules
}
