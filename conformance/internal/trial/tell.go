package trial

import "testing"

// Tell reports the outcome to the case's subtest, which it may end.
func (o Outcome) Tell(t *testing.T, c Case) {
	t.Helper()
	if len(o.Failures) == 0 && t.Failed() {
		// The rule stands with failures of our own only.
		t.Logf("\n  %s\n  saw: a report of the race detector, or a failure of a function that the suite was given: see above",
			c.quote())
	}
	for _, failure := range o.Failures {
		t.Error(failure)
	}
	if o.Skipped != "" {
		t.Skip(o.Skipped)
	}
}
