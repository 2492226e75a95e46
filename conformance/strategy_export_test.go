package conformance

import (
	"testing"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

// ExamineStrategy runs one case and returns what RunStrategy would report.
func ExamineStrategy(
	t *testing.T, id string, newStrategy func(*testing.T) lockstrategy.Strategy, opts ...StrategyOption,
) (failures []string, skipped string) {
	t.Helper()
	options := newStrategyOptions(opts)
	for _, sc := range strategyCases() {
		if sc.id == id {
			outcome := sc.examine(t, newStrategy, options)
			return outcome.failures, outcome.skipped
		}
	}
	t.Fatalf("there is no case %q", id)
	return nil, ""
}

// StrategyCases returns the rule of each case by its id, and the ids in order.
func StrategyCases() (ids []string, rules map[string]string) {
	rules = map[string]string{}
	for _, sc := range strategyCases() {
		ids = append(ids, sc.id)
		rules[sc.id] = sc.rule
	}
	return ids, rules
}
