package conformance

import (
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
)

// Run tests the stores that newStore makes, each case in a subtest of t named "<id>_<Name>", most of them parallel. The
// package comment describes what to expect of it.
//
// newStore returns a store that is ready to use, and registers its release with t.Cleanup. Stores should be empty; they
// may share one backend, as long as making one leaves the sessions of the others alone, but must be new ones each time
// if they can be closed. It may be called several times by one case, from the goroutine that the case runs in: t.Fatal
// and t.Skip end the case.
//
// Run fails t at once if an option is wrong.
func Run(t *testing.T, newStore func(t *testing.T) scs.Store, opts ...Option) {
	t.Helper()
	options, err := newOptions(opts)
	if err != nil {
		t.Fatal(err)
	}
	if newStore == nil {
		t.Fatal("conformance: newStore is nil")
	}
	run := new(trial.Run)
	for _, tc := range inOrder() {
		t.Run(tc.about().Title(), func(t *testing.T) {
			if !tc.alone {
				t.Parallel()
			}
			outcome := examine(t, run, tc, newStore, options)
			options.report.record(t, options.reportAs, tc, outcome)
			outcome.Tell(t, tc.about())
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
	// restsOn are the ids of cases whose rules this one takes for granted. See [trial.Case].
	restsOn []string
	// alone keeps the other cases from running meanwhile. The race detector accuses every test that is running, so a
	// case that races are known to meet runs by itself. So does one that needs two processors for what happens in a
	// moment.
	alone bool
	// patience is how long the case may take once its store is made, where that is less than for others: many hang in
	// it.
	patience time.Duration
	run      func(c *check)
}

func (tc testCase) about() trial.Case {
	about := trial.Case{ID: tc.id, Name: tc.name, Group: tc.group(), Rule: tc.rule, RestsOn: tc.restsOn}
	// Nearly every case commits a session and looks for it.
	if !slices.Contains([]string{"B01", "B02", "B06", "B08", "P05", "P06", "P07"}, tc.id) {
		about.RestsOn = append([]string{"B01"}, tc.restsOn...)
	}
	return about
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

// inOrder returns all cases with those first that others rest on. They are run one after the other, so that what they
// find is known to the others.
func inOrder() []testCase {
	cases := allCases()
	under := map[string]bool{}
	for _, tc := range cases {
		for _, id := range tc.about().RestsOn {
			under[id] = true
		}
	}
	for i := range cases {
		cases[i].alone = cases[i].alone || under[cases[i].id]
	}
	slices.SortStableFunc(cases, func(a, b testCase) int {
		switch {
		case under[a.id] == under[b.id]:
			return 0
		case under[a.id]:
			return -1
		default:
			return 1
		}
	})
	return cases
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
	needClock
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
	case needClock:
		met, reason = o.setClock != nil, "the clock of the store cannot be moved: WithClock"
	case needAbandon:
		met, reason = o.abandon != nil, "no way to let a request die: the second argument of WithLocking"
	}
	if met {
		return ""
	}
	return reason
}
