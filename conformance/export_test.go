package conformance

import (
	"context"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
)

// Examine runs one case and returns what Run would report.
func Examine(t *testing.T, id string, newStore func(*testing.T) scs.Store,
	opts ...Option,
) (failures []string, skipped string) {
	t.Helper()
	options, err := newOptions(opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range allCases() {
		if tc.id == id {
			outcome := examine(t, new(trial.Run), tc, newStore, options)
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

// CheckOptions returns what Run would say about options.
func CheckOptions(opts ...Option) error {
	_, err := newOptions(opts)
	return err
}

// MustLive returns whether a case whose store's clock was set takes a session with that expiry for one that must be
// found.
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
	stacks, _ := trial.Labelled("left", id, trial.Package{Path: pkg, InTests: strings.HasSuffix(pkg, "_test")})
	return stacks
}

// Park is a helper that tests inside a package have. It calls started, and returns when ctx ends.
func Park(ctx context.Context, started func()) {
	started()
	<-ctx.Done()
}

// ExamineImpatiently runs a case whose store is already made when it has this much time left, and returns its failures.
func ExamineImpatiently(t *testing.T, patience time.Duration, newStore func(*testing.T) scs.Store,
	run func(ctx context.Context),
) []string {
	t.Helper()
	o, err := newOptions(nil)
	if err != nil {
		t.Fatal(err)
	}
	tc := testCase{id: "P00", patience: patience, run: func(c *check) { run(c.ctx) }}
	return examine(t, new(trial.Run), tc, newStore, o).Failures
}

// ExamineAll runs all cases as Run does, and returns what it would report of each. The options may differ by case. With
// first, it ends at the first failure.
func ExamineAll(
	t *testing.T, newStore func(*testing.T) scs.Store, first bool, optsFor func(id string) []Option,
) (failures map[string][]string, skipped map[string]string) {
	t.Helper()
	failures, skipped = map[string][]string{}, map[string]string{}
	var (
		run trial.Run
		mu  sync.Mutex
		wg  sync.WaitGroup
	)
	ended := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return first && len(failures) > 0
	}
	one := func(tc testCase) {
		if ended() {
			return
		}
		options, err := newOptions(optsFor(tc.id))
		if err != nil {
			t.Error(err)
			return
		}
		outcome := examine(t, &run, tc, newStore, options)
		mu.Lock()
		defer mu.Unlock()
		if outcome.Skipped != "" {
			skipped[tc.id] = outcome.Skipped
		}
		if len(outcome.Failures) > 0 {
			failures[tc.id] = outcome.Failures
		}
	}
	free := make(chan struct{}, 16) // More at once than -parallel would allow: most of the time they wait.
	var rest []testCase
	for _, tc := range inOrder() {
		if tc.alone {
			one(tc)
		} else {
			rest = append(rest, tc)
		}
	}
	for _, tc := range rest {
		wg.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			one(tc)
		})
	}
	wg.Wait()
	return failures, skipped
}

// Homegrown is a store whose code is in a file of tests of its own package, and that leaves a goroutine behind each
// Find.
type Homegrown struct {
	scs.Store
	Leave <-chan struct{}
}

// Find implements scs.Store.
func (s *Homegrown) Find(token string) ([]byte, bool, error) {
	go func() { <-s.Leave }()
	return s.Store.Find(token)
}
