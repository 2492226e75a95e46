package conformance

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
)

// check is one run of a case: what the case works with, beside the recorder of what it sees. Its methods may be called
// by several goroutines of the case.
type check struct {
	*trial.Trial

	t       *testing.T // For newStore and the functions of options only.
	ctx     context.Context
	run     *trial.Run
	opts    *options
	factory func(*testing.T) scs.Store
	store   *caller // The case's own store.

	mu    sync.Mutex
	clock storeClock
}

// examine runs a case and returns what became of it. It reports nothing to t, which is only for the caller's functions:
// that is how the suite's own tests see a case fail without failing.
func examine(t *testing.T, run *trial.Run, tc testCase, newStore func(*testing.T) scs.Store, o *options) trial.Outcome {
	if reason := o.skips.Reason(tc.id); reason != "" {
		run.Break(tc.about(), "is skipped: "+reason)
		return trial.Outcome{Skipped: reason}
	}
	return run.Try(t.Context(), tc.about(), o.timeout, func(tr *trial.Trial) {
		c := &check{Trial: tr, t: t, ctx: tr.Context(), run: run, opts: o, factory: newStore}
		c.store = c.newStore()
		c.Suspect(trial.PackageOf(c.store.store).Symbols())
		for _, n := range tc.needs {
			if reason := n.missing(c.store.store, o); reason != "" {
				c.Skip(reason)
			}
		}
		if tc.patience > 0 {
			c.Hurry(tc.patience)
		}
		tc.run(c)
	})
}

// newStore makes another fresh store.
func (c *check) newStore() *caller {
	step := c.Begin("newStore()")
	store := c.factory(c.t)
	c.Forget(step)
	switch {
	case store == nil:
		c.Fatalf("newStore returned nil")
	case !c.opts.made.first(store):
		c.Fatalf("newStore returned a store that it had returned before; make a new one each time, for cases close theirs")
	}
	return &caller{c: c, store: store}
}

// inject breaks the backend of the case's own store, or skips the case. The function it returns repairs it; calling
// that again does nothing.
func (c *check) inject(fault Fault) (repair func()) {
	repair, possible := c.tryInject(fault)
	if !possible {
		c.skipFault(fault)
	}
	return repair
}

// tryInject is inject for where the case cannot be skipped.
func (c *check) tryInject(fault Fault) (repair func(), possible bool) {
	undo := c.opts.inject(c.t, c.store.store, fault)
	if undo == nil {
		return func() {}, false
	}
	c.Faulty()
	c.Note("break the backend: "+fault.String(), "done")
	return sync.OnceFunc(func() {
		undo()
		c.Note("repair the backend", "done")
	}), true
}

func (c *check) skipFault(fault Fault) {
	c.Skip(fmt.Sprintf("the function given to WithFault cannot make %s", fault))
}
