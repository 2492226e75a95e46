package conformance

import (
	"errors"
	"slices"
	"testing"

	"github.com/alexedwards/scs/v2"
)

// Run tests the stores that newStore makes, each case in a parallel subtest of t named "<id>_<Name>". The package
// comment describes what to expect of it.
//
// newStore returns a store that is ready to use, and registers its release with t.Cleanup. Stores should be empty; they
// may share one backend, as long as making one leaves the sessions of the others alone. It may be called several times by
// one case, from the goroutine that the case runs in: t.Fatal and t.Skip end the case.
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
			t.Parallel()
			outcome := examine(t, tc, newStore, options)
			for _, failure := range outcome.failures {
				t.Error(failure)
			}
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
	run   func(c *check)
}

// allCases returns every case in the order of groups and ids.
func allCases() []testCase {
	return slices.Concat(
		basicCases(), expiryCases(), iterationCases(), contextCases(), parallelCases(), lifecycleCases(),
		dataCases(), sessionCases(), faultCases(),
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
)

// missing returns why the case cannot be run on this store with these options, or "".
func (n need) missing(store scs.Store, o *options) string {
	has := methodsOf(store)
	absent := func(present bool, reason string) string {
		if present {
			return ""
		}
		return reason
	}
	switch n {
	case needIterable:
		return absent(has.all || has.allCtx, "the store has neither All nor AllCtx")
	case needAnyContext:
		return absent(has.findCtx || has.commitCtx || has.deleteCtx, "the store has no method that takes a context")
	case needFindContext:
		return absent(has.findCtx, "the store has no FindCtx")
	case needCommitContext:
		return absent(has.commitCtx, "the store has no CommitCtx")
	case needDeleteContext:
		return absent(has.deleteCtx, "the store has no DeleteCtx")
	case needIterableContext:
		return absent(has.allCtx, "the store has no AllCtx")
	case needStop:
		return absent(stopOf(store) != nil, "the store has neither Close nor StopCleanup")
	case needMaxData:
		return absent(o.maxData > 0, "the largest payload is not declared: WithMaxData")
	case needPeer:
		return absent(o.peer != nil, "no second instance on the same backend: WithPeer")
	case needNamespaces:
		return absent(o.namespaces != nil, "no namespaces: WithNamespaces")
	case needForeignData:
		return absent(o.foreignData != nil, "no foreign data in the backend: WithForeignData")
	case needCorruption:
		return absent(len(o.corruptions) > 0, "no way to damage a record: WithCorruption")
	case needCollect:
		return absent(o.collect != nil, "no collection of expired sessions: WithCollect")
	case needStored:
		return absent(o.stored != nil, "no way to see what is stored: the second argument of WithCollect")
	case needFault:
		return absent(o.inject != nil, "no way to break the backend: WithFault")
	}
	return errors.ErrUnsupported.Error()
}
