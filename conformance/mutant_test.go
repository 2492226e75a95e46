package conformance_test

import (
	"context"
	"flag"
	"io"
	"log"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

var matrix = flag.Bool("matrix", false, "run every case on every mutant, and print which cases kill it")

// mutation is one realistic defect of a store, and the cases that must see it.
type mutation struct {
	name    string
	killers []string
	mutate  func(*reference) scs.Store
	opts    []conformance.Option
}

// mutant is the reference with some methods replaced.
type mutant struct {
	*reference
	find     func(ctx context.Context, token string) ([]byte, bool, error)
	commit   func(ctx context.Context, token string, data []byte, expiry time.Time) error
	delete   func(ctx context.Context, token string) error
	all      func(ctx context.Context) (map[string][]byte, error)
	plainAll func() (map[string][]byte, error)
	close    func() error
	sweep    func()
}

func (m *mutant) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	if m.find == nil {
		return m.reference.FindCtx(ctx, token)
	}
	return m.find(ctx, token)
}

func (m *mutant) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if m.commit == nil {
		return m.reference.CommitCtx(ctx, token, data, expiry)
	}
	return m.commit(ctx, token, data, expiry)
}

func (m *mutant) DeleteCtx(ctx context.Context, token string) error {
	if m.delete == nil {
		return m.reference.DeleteCtx(ctx, token)
	}
	return m.delete(ctx, token)
}

func (m *mutant) AllCtx(ctx context.Context) (map[string][]byte, error) {
	if m.all == nil {
		return m.reference.AllCtx(ctx)
	}
	return m.all(ctx)
}

func (m *mutant) All() (map[string][]byte, error) {
	if m.plainAll == nil {
		return m.AllCtx(context.Background())
	}
	return m.plainAll()
}

func (m *mutant) Close() error {
	if m.close == nil {
		return m.reference.Close()
	}
	return m.close()
}

func (m *mutant) collect() {
	if m.sweep == nil {
		m.reference.collect()
		return
	}
	m.sweep()
}

func allMutations() []mutation {
	return slices.Concat(basicMutations(), expiryMutations(), iterationMutations(), contextMutations(),
		parallelMutations(), lockingMutations(), dataMutations(), sessionMutations(), faultMutations())
}

// TestMutants shows that each defect is seen by the cases that are about it, that each case sees at least one, and that
// no failure message contains a token.
func TestMutants(t *testing.T) {
	t.Parallel()
	if *matrix {
		log.SetOutput(io.Discard) // Servers of cases that hang complain.
	}
	mutations := allMutations()
	ids, _ := conformance.Cases()
	var mu sync.Mutex
	killedBy := map[string][]string{}
	killers := map[string]bool{}

	for _, m := range mutations {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			cases := m.killers
			if *matrix {
				cases = ids
			}
			dead := make([]bool, len(cases))
			var wg sync.WaitGroup
			free := make(chan struct{}, 16) // So that the machine is not so busy that right stores seem to hang.
			for i, id := range cases {
				wg.Go(func() {
					free <- struct{}{}
					defer func() { <-free }()
					dead[i] = dies(t, m, id)
				})
			}
			wg.Wait()
			mu.Lock()
			defer mu.Unlock()
			killedBy[m.name] = []string{}
			for i, id := range cases {
				if dead[i] {
					killedBy[m.name] = append(killedBy[m.name], id)
					killers[id] = true
				} else if slices.Contains(m.killers, id) {
					t.Errorf("%s does not see: %s", id, m.name)
				}
			}
		})
	}

	t.Cleanup(func() { // After all of them.
		if *matrix {
			printMatrix(mutations, killedBy)
		}
		if len(killedBy) < len(mutations) {
			t.Logf("%d of %d mutants were run, so nothing can be said of the others", len(killedBy), len(mutations))
			return
		}
		for _, m := range mutations {
			if len(killedBy[m.name]) == 0 {
				t.Errorf("survived: %s", m.name)
			}
		}
		for _, id := range ids {
			if !killers[id] {
				t.Errorf("case %s kills no mutant", id)
			}
		}
	})
}

// dies reports whether a case sees the defect.
func dies(t *testing.T, m mutation, id string) bool {
	t.Helper()
	var mu sync.Mutex
	var made []*reference
	mutate := func(r *reference) scs.Store {
		mu.Lock()
		defer mu.Unlock()
		made = append(made, r)
		return m.mutate(r)
	}
	opts := append(capabilities(mutate), conformance.WithTimeout(10*time.Second))
	if slices.Contains(lockingIDs, id) { // The other cases see more defects where requests do not wait for each other.
		opts = append(opts, conformance.WithRequestScope(serialized))
	}
	opts = append(append(opts, clockFor(id)...), m.opts...)
	failures, skipped := conformance.Examine(t, id,
		func(t *testing.T) scs.Store { return opened(t, mutate, newReference()) }, opts...)
	if skipped != "" {
		t.Logf("%s is skipped: %s", id, skipped)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, r := range made {
		r.mu.Lock()
		for _, token := range r.seen {
			if len(token) >= 40 && slices.ContainsFunc(failures, func(f string) bool { return strings.Contains(f, token) }) {
				t.Errorf("%s: a failure message contains a token", id)
			}
		}
		r.mu.Unlock()
	}
	return len(failures) > 0
}

// widen gives another goroutine the time to get between two steps of a mutant that should have been one.
func widen() {
	timer := time.NewTimer(5 * time.Millisecond)
	<-timer.C
}

// serialized is a middleware that lets requests of one session in one after the other.
func serialized(store scs.Store, sessions *scs.SessionManager) func(http.Handler) http.Handler {
	return lockRules{}.scope(store, sessions)
}
