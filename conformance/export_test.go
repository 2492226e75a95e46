package conformance

import (
	"context"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// Examine runs one case and returns what Run would report.
func Examine(t *testing.T, id string, newStore func(*testing.T) scs.Store, opts ...Option) (failures []string, skipped string) {
	t.Helper()
	options, err := newOptions(opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range allCases() {
		if tc.id == id {
			outcome := examine(t, tc, newStore, options)
			return outcome.failures, outcome.skipped
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

// CheckOptions returns what Run would say about options.
func CheckOptions(opts ...Option) error {
	_, err := newOptions(opts)
	return err
}

// MustLive returns whether a case whose store's clock was set takes a session with that expiry for one that must be found.
func MustLive(set, expiry time.Time) bool {
	o, _ := newOptions([]Option{WithClock(func(*testing.T, scs.Store, time.Time) {})})
	c := &check{opts: o, store: &caller{}}
	c.setClock(set)
	return c.mustLive(expiry)
}

// Left returns the stacks of the goroutines of a package that f leaves running, as P07 and P08 look for them.
func Left(ctx context.Context, pkg string, f func()) []string {
	id := newToken()
	pprof.Do(ctx, pprof.Labels("left", id), func(context.Context) { f() })
	stacks, _ := labelled("left", id, pkg)
	return stacks
}

// Park is a helper that tests inside a package have. It calls started, and returns when ctx ends.
func Park(ctx context.Context, started func()) {
	started()
	<-ctx.Done()
}

// ExamineImpatiently runs a case whose store is already made when it has this much time left, and returns its failures.
func ExamineImpatiently(t *testing.T, patience time.Duration, newStore func(*testing.T) scs.Store, run func(ctx context.Context)) []string {
	t.Helper()
	o, err := newOptions(nil)
	if err != nil {
		t.Fatal(err)
	}
	tc := testCase{id: "P00", patience: patience, run: func(c *check) { run(c.ctx) }}
	return examine(t, tc, newStore, o).failures
}
