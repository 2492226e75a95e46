package conformance

import (
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// Run tests the stores that newStore makes, each case in a subtest of t named "<id>_<Name>", most of them parallel. The package
// comment describes what to expect of it.
//
// newStore returns a store that is ready to use, and registers its release with t.Cleanup. Stores should be empty; they
// may share one backend, as long as making one leaves the sessions of the others alone, but must be new ones each time if they
// can be closed. It may be called several times by one case, from the goroutine that the case runs in: t.Fatal and t.Skip
// end the case.
//
// Run fails t at once if an option is wrong.
func Run(t *testing.T, newStore func(t *testing.T) scs.Store, opts ...Option) {
	t.Helper()
	options, err := newOptions(opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range allCases() {
		t.Run(tc.id+"_"+tc.name, func(t *testing.T) {
			if !tc.alone {
				t.Parallel()
			}
			outcome := examine(t, tc, newStore, options)
			for _, failure := range outcome.failures {
				t.Error(failure)
			}
			options.report.record(t, options.reportAs, tc, outcome)
			if outcome.skipped != "" {
				t.Skip(outcome.skipped)
			}
		})
	}
}

// testCase is one rule and the code that tries to catch a store breaking it.
type testCase struct {
	id   string // The group's letter and a number. Ids are never reused.
	name string
	rule string // One sentence. Failures quote it.
	// needs is what the case cannot do without. Where it is missing, the case is skipped.
	needs []need
	// alone keeps the other cases from running meanwhile. The race detector accuses every test that is running, so a case
	// that races are known to meet runs by itself.
	alone bool
	// patience is how long the case may take once its store is made, where that is less than for others: many hang in it.
	patience time.Duration
	run      func(c *check)
}

// group names the group that the first letter of the id stands for.
func (tc testCase) group() string {
	switch tc.id[0] {
	case 'B':
		return "basic operations"
	case 'E':
		return "expiry"
	case 'I':
		return "iteration"
	case 'C':
		return "contexts"
	case 'P':
		return "parallel use and life cycle"
	case 'D':
		return "data"
	case 'S':
		return "whole requests"
	case 'L':
		return "lock strategies"
	default:
		return "faults"
	}
}

// allCases returns every case in the order of groups and ids.
func allCases() []testCase {
	return slices.Concat(
		basicCases(), expiryCases(), iterationCases(), contextCases(), parallelCases(), lifecycleCases(),
		lockingCases(), dataCases(), sessionCases(), requestCases(), faultCases(),
	)
}

// need is something that not every store, or not every caller of Run, has.
type need int

const (
	needIterable need = iota
	needAnyContext
	needFindContext
	needCommitContext
	needDeleteContext
	needIterableContext
	needStop
	needMaxData
	needPeer
	needNamespaces
	needForeignData
	needCorruption
	needCollect
	needStored
	needFault
	needLocking
	needAbandon
)

// missing returns why the case cannot be run on this store with these options, or "".
func (n need) missing(store scs.Store, o *options) (reason string) {
	has := methodsOf(store)
	met := false
	switch n {
	case needIterable:
		met, reason = has.all || has.allCtx, "the store has neither All nor AllCtx"
	case needAnyContext:
		met, reason = has.findCtx || has.commitCtx || has.deleteCtx, "the store has no method that takes a context"
	case needFindContext:
		met, reason = has.findCtx, "the store has no FindCtx"
	case needCommitContext:
		met, reason = has.commitCtx, "the store has no CommitCtx"
	case needDeleteContext:
		met, reason = has.deleteCtx, "the store has no DeleteCtx"
	case needIterableContext:
		met, reason = has.allCtx, "the store has no AllCtx"
	case needStop:
		met, reason = stopOf(store) != nil, "the store has neither Close nor StopCleanup"
	case needMaxData:
		met, reason = o.maxData > 0, "the largest payload is not declared: WithMaxData"
	case needPeer:
		met, reason = o.peer != nil, "no second instance on the same backend: WithPeer"
	case needNamespaces:
		met, reason = o.namespaces != nil, "no namespaces: WithNamespaces"
	case needForeignData:
		met, reason = o.foreignData != nil, "no foreign data in the backend: WithForeignData"
	case needCorruption:
		met, reason = len(o.corruptions) > 0, "no way to damage a record: WithCorruption"
	case needCollect:
		met, reason = o.collect != nil, "no collection of expired sessions: WithCollect"
	case needStored:
		met, reason = o.stored != nil, "no way to see what is stored: the second argument of WithCollect"
	case needFault:
		met, reason = o.inject != nil, "no way to break the backend: WithFault"
	case needLocking:
		met, reason = o.lockDelay > 0, "the store does not let requests in one after the other: WithLocking"
	case needAbandon:
		met, reason = o.abandon != nil, "no way to let a request die: the second argument of WithLocking"
	}
	if met {
		return ""
	}
	return reason
}
