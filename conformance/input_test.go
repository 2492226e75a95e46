package conformance_test

import (
	"context"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// TestBadFactories shows what Run says of a factory that makes no stores.
func TestBadFactories(t *testing.T) {
	t.Parallel()
	shared := opened(t, unchanged, newReference())
	failures, _ := conformance.Examine(t, "B01", func(*testing.T) scs.Store { return nil })
	if len(failures) != 1 || !strings.Contains(failures[0], "newStore returned nil") {
		t.Errorf("nil: %q", failures)
	}
	failures, _ = conformance.Examine(t, "P05", func(*testing.T) scs.Store { return shared })
	if len(failures) != 1 || !strings.Contains(failures[0], "had returned before") {
		t.Errorf("the same store twice: %q", failures)
	}
	// Where nothing can be stopped, one store may serve all.
	same := &unstoppable{memstore.NewWithCleanupInterval(0)}
	failures, _ = conformance.Examine(t, "P08", func(*testing.T) scs.Store { return same })
	if len(failures) > 0 {
		t.Errorf("one store for all cases: %q", failures)
	}
}

type unstoppable struct{ scs.Store }

// TestClosedStore shows that a store which is closed from the beginning fails, and hangs nothing.
func TestClosedStore(t *testing.T) {
	t.Parallel()
	closed := func(t *testing.T) scs.Store {
		return opened(t, func(r *reference) scs.Store {
			r.inject(conformance.FaultDown)
			return r
		}, newReference())
	}
	for _, id := range []string{"B01", "E15", "I02", "C01", "P02", "D01", "S01"} {
		if failures, _ := conformance.Examine(t, id, closed); len(failures) == 0 {
			t.Errorf("%s passes", id)
		}
	}
}

// TestHalfOfTheContextMethods shows that a store with only one of them is told so, and can be run on.
func TestHalfOfTheContextMethods(t *testing.T) {
	t.Parallel()
	type half struct {
		scs.Store
		findsWithContext
	}
	newStore := func(t *testing.T) scs.Store {
		r := newReference()
		return half{struct{ scs.Store }{opened(t, unchanged, r)}, findsWithContext{r}}
	}
	if failures, _ := conformance.Examine(t, "C06", newStore); len(failures) != 1 {
		t.Errorf("C06: %q", failures)
	}
	for _, id := range []string{"B01", "C01", "C08", "D01", "S01"} {
		if failures, skipped := conformance.Examine(t, id, newStore); len(failures) > 0 || skipped != "" {
			t.Errorf("%s: skipped %q, failures %q", id, skipped, failures)
		}
	}
}

type findsWithContext struct{ r *reference }

func (f findsWithContext) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	return f.r.FindCtx(ctx, token)
}
