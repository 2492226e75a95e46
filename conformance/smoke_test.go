package conformance_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scsdynamo/scsdynamo/conformance"
	"github.com/scsdynamo/scsdynamo/conformance/smoke"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]scs.Store{
		"the reference":           opened(t, unchanged, newReference()),
		"a store of scs":          memstore.NewWithCleanupInterval(0),
		"one without contexts":    struct{ scs.Store }{opened(t, unchanged, newReference())},
		"one that cannot iterate": struct{ scs.CtxStore }{opened(t, unchanged, newReference()).(scs.CtxStore)},
	} {
		if err := smoke.Check(t.Context(), store); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheckLeavesNoTrace shows that real sessions are left alone, and that nothing stays.
func TestCheckLeavesNoTrace(t *testing.T) {
	t.Parallel()
	r := newReference()
	store := opened(t, func(r *reference) scs.Store {
		return &mutant{
			reference: r,
			all:       func(context.Context) (map[string][]byte, error) { t.Error("the check iterates"); return nil, nil },
		}
	}, r)
	if err := store.Commit("a real one", []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	before := r.list()
	if err := smoke.Check(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	if after := r.list(); len(after) != len(before) || string(after["a real one"].data) != "data" {
		t.Errorf("there are %d sessions after the check, %d before", len(after), len(before))
	}
	tokens := map[string]bool{}
	for _, token := range r.seen[1:] {
		tokens[token] = true
		if !strings.HasPrefix(token, "conformance-check-") || len(token) < len("conformance-check-")+20 {
			t.Error("the check uses a token that cannot be told from others")
		}
	}
	if len(tokens) != 1 {
		t.Errorf("the check uses %d tokens", len(tokens))
	}
}

// TestCheckNamesTheRule shows which rules are tried, that the error names them, and that it does not tell the token.
func TestCheckNamesTheRule(t *testing.T) {
	t.Parallel()
	_, rules := conformance.Cases()
	commits := 0
	for id, m := range map[string]func(r *reference) *mutant{
		"B01": func(r *reference) *mutant {
			return &mutant{reference: r, commit: func(context.Context, string, []byte, time.Time) error { return nil }}
		},
		"B02": func(r *reference) *mutant {
			return &mutant{reference: r, find: func(context.Context, string) ([]byte, bool, error) { return nil, true, nil }}
		},
		"B03": func(r *reference) *mutant {
			return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
				if _, found := r.get(token); found {
					return nil
				}
				return r.CommitCtx(ctx, token, data, expiry)
			}}
		},
		"E04": func(r *reference) *mutant {
			return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
				return r.CommitCtx(ctx, token, data, time.Now().Add(time.Minute))
			}}
		},
		"E09": func(r *reference) *mutant {
			return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
				if commits++; commits == 4 {
					return errors.New("there is one already for " + token)
				}
				return r.CommitCtx(ctx, token, data, expiry)
			}}
		},
		"B05": func(r *reference) *mutant {
			return &mutant{reference: r, delete: func(context.Context, string) error { return nil }}
		},
		"B07": func(r *reference) *mutant {
			return &mutant{reference: r, delete: func(ctx context.Context, token string) error {
				if _, found := r.get(token); !found {
					return errors.New("not found")
				}
				return r.DeleteCtx(ctx, token)
			}}
		},
	} {
		r := newReference()
		err := smoke.Check(t.Context(), opened(t, func(r *reference) scs.Store { return m(r) }, r))
		var broken *smoke.Error
		if !errors.As(err, &broken) || broken.Case != id || !strings.HasPrefix(rules[id], broken.Rule) {
			t.Errorf("%s: the error is %v", id, err)
			continue
		}
		if strings.Contains(err.Error(), r.seen[0]) {
			t.Errorf("%s: the error tells the token", id)
		}
	}
}

// TestCheckCleansUp shows that the session goes although the check failed, or its context has ended.
func TestCheckCleansUp(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]bool{"a failure": false, "a cancellation": true} {
		r := newReference()
		ctx, cancel := context.WithCancel(t.Context())
		finds := 0
		err := smoke.Check(ctx, opened(t, func(r *reference) scs.Store {
			return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
				switch finds++; {
				case finds == 1: // Before the first commit.
				case ends:
					cancel()
				default:
					return nil, false, nil
				}
				return r.FindCtx(ctx, token)
			}}
		}, r))
		cancel()
		if err == nil || errors.Is(err, context.Canceled) != ends {
			t.Errorf("%s: the error is %v", name, err)
		}
		if left := len(r.list()); left > 0 {
			t.Errorf("%s: %d sessions are left", name, left)
		}
	}
}

func TestCheckOfWhatIsNoStore(t *testing.T) {
	t.Parallel()
	if err := smoke.Check(t.Context(), nil); err == nil {
		t.Error("no store at all passes")
	}
	panics := opened(t, func(r *reference) scs.Store {
		return &mutant{reference: r, commit: func(_ context.Context, token string, _ []byte, _ time.Time) error {
			panic("commit of " + token)
		}}
	}, newReference())
	var broken *smoke.Error
	if err := smoke.Check(t.Context(), panics); !errors.As(err, &broken) || broken.Case != "B01" ||
		!strings.Contains(err.Error(), "commit of <token>") {
		t.Errorf("a panic: %v", err)
	}
	if err := smoke.Check(cancelledContext(t), opened(t, unchanged, newReference())); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
}

// TestCheckOfAStoreThatHangs shows that the check comes back, also where the store does not.
func TestCheckOfAStoreThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		defer close(hang)
		store := opened(t, func(r *reference) scs.Store {
			return &mutant{reference: r, find: func(context.Context, string) ([]byte, bool, error) {
				<-hang
				return nil, false, nil
			}}
		}, newReference())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := smoke.Check(ctx, store); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 10*time.Second {
			t.Errorf("after %v, the error is %v", time.Since(began), err)
		}
	})
}

func cancelledContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
