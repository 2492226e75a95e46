package conformance_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// innocent is a store that is unlike the reference, and right all the same.
type innocent struct {
	name   string
	mutate func(*reference) scs.Store
	opts   []conformance.Option
	// guilty are the cases that the store fails with good reason: what matters is that no other accuses it.
	guilty []string
	// skipped are the cases that cannot be judged on it.
	skipped []string
}

func innocents() []innocent {
	noContext := []string{"C01", "C02", "C03", "C04", "C05", "C06", "C07", "C08", "C09", "C10", "C11", "I11", "P07", "P08"}
	return []innocent{
		{
			name:   "a column for tokens of 43 letters",
			mutate: commitsUnless(func(token string, _ []byte, _ time.Time) bool { return len(token) != 43 }),
		},
		{
			name: "commits that meet too many others are refused", guilty: []string{"P01"},
			mutate: func(r *reference) scs.Store {
				free := make(chan struct{}, 20)
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					select {
					case free <- struct{}{}:
						defer func() { <-free }()
						dawdle(data)
						return r.CommitCtx(ctx, token, data, expiry)
					default:
						return errors.New("database is locked")
					}
				}}
			},
		},
		{
			name:   "a column that is not null",
			mutate: commitsUnless(func(_ string, data []byte, _ time.Time) bool { return data == nil }),
		},
		{
			name: "a type for instants that begins in 1970 and ends in 2200",
			mutate: commitsUnless(func(_ string, _ []byte, expiry time.Time) bool {
				return !expiry.IsZero() && expiry.Unix() <= 0 || expiry.Year() > 2200
			}),
		},
		{
			name: "a backend that counts down from when it hears of a commit",
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					left := time.Until(expiry)
					dawdle(data)
					dawdle(data)
					return r.CommitCtx(ctx, token, data, time.Now().Add(left))
				}}
			},
		},
		{
			name: "an iteration that is possible with a context only", skipped: []string{"I11", "P07", "P08"},
			mutate: func(r *reference) scs.Store {
				return &struct {
					scs.CtxStore
					scs.IterableCtxStore
					closing
				}{r, r, closing{based{r}}}
			},
		},
		{
			name: "no method takes a context", skipped: noContext,
			mutate: func(r *reference) scs.Store {
				return &struct {
					scs.Store
					scs.IterableStore
					closing
				}{r, r, closing{based{r}}}
			},
		},
		{
			name: "it embeds a database, whose Close is not its own",
			mutate: func(r *reference) scs.Store {
				return &embedding{mutant{reference: r, close: func() error { panic("the database was closed") }}}
			},
		},
		{
			name: "each connection that broke fails one call after the backend is back",
			mutate: func(r *reference) scs.Store {
				var broken atomic.Int32
				call := func(err error) error {
					if errors.Is(err, errDown) {
						broken.Store(6)
					}
					return err
				}
				stale := func() bool {
					return !r.has(conformance.FaultDown) && !r.has(conformance.FaultScan) && broken.Add(-1) >= 0
				}
				return &mutant{
					reference: r,
					find: func(ctx context.Context, token string) ([]byte, bool, error) {
						if stale() {
							return nil, false, errors.New("connection reset by peer")
						}
						data, found, err := r.FindCtx(ctx, token)
						return data, found, call(err)
					},
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						if stale() {
							return errors.New("connection reset by peer")
						}
						return call(r.CommitCtx(ctx, token, data, expiry))
					},
					all: func(ctx context.Context) (map[string][]byte, error) {
						if stale() {
							return nil, errors.New("connection reset by peer")
						}
						all, err := r.AllCtx(ctx)
						return all, call(err)
					},
				}
			},
		},
		{
			name: "a client with a timeout of its own",
			opts: []conformance.Option{conformance.WithTimeout(8 * time.Second)},
			mutate: func(r *reference) scs.Store {
				patient := func(ctx context.Context) error {
					if r.has(conformance.FaultHang) {
						<-time.After(2500 * time.Millisecond)
						return errors.Join(errors.New("i/o timeout"), ctx.Err())
					}
					return nil
				}
				return &mutant{
					reference: r,
					find: func(ctx context.Context, token string) ([]byte, bool, error) {
						if err := patient(ctx); err != nil {
							return nil, false, err
						}
						return r.FindCtx(ctx, token)
					},
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						if err := patient(ctx); err != nil {
							return err
						}
						return r.CommitCtx(ctx, token, data, expiry)
					},
					delete: func(ctx context.Context, token string) error {
						if err := patient(ctx); err != nil {
							return err
						}
						return r.DeleteCtx(ctx, token)
					},
					all: func(ctx context.Context) (map[string][]byte, error) {
						if err := patient(ctx); err != nil {
							return nil, err
						}
						return r.AllCtx(ctx)
					},
				}
			},
		},
		{
			name: "a client that waits for its backend as long as it is allowed to", skipped: []string{"F06"},
			opts: []conformance.Option{conformance.WithTimeout(20 * time.Second)},
			mutate: func(r *reference) scs.Store {
				wait := func(ctx context.Context, err error) error {
					if errors.Is(err, errDown) {
						<-ctx.Done()
						return ctx.Err()
					}
					return err
				}
				return &mutant{
					reference: r,
					find: func(ctx context.Context, token string) ([]byte, bool, error) {
						data, found, err := r.FindCtx(ctx, token)
						return data, found, wait(ctx, err)
					},
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						return wait(ctx, r.CommitCtx(ctx, token, data, expiry))
					},
					delete: func(ctx context.Context, token string) error { return wait(ctx, r.DeleteCtx(ctx, token)) },
					all: func(ctx context.Context) (map[string][]byte, error) {
						all, err := r.AllCtx(ctx)
						return all, wait(ctx, err)
					},
				}
			},
		},
		{
			name: "namespaces that must not be there yet", mutate: unchanged,
			opts: []conformance.Option{conformance.WithNamespaces(func() func(*testing.T, string,
				string) (scs.Store, scs.Store) {
				var mu sync.Mutex
				there := map[string]bool{}
				return func(t *testing.T, first, second string) (scs.Store, scs.Store) {
					t.Helper()
					mu.Lock()
					defer mu.Unlock()
					if there[first] || there[second] {
						return nil, nil
					}
					there[first], there[second] = true, true
					b := &backend{records: map[string]record{}}
					return opened(t, unchanged, onBackend(b, first)), opened(t, unchanged, onBackend(b, second))
				}
			}())},
		},
		{
			name:    "sessions live for two seconds at least", // So nothing can be said of zones (E10, E19).
			guilty:  []string{"E01", "E03", "E04", "E06", "E08", "E14", "E16", "E18", "E20", "E21", "E22", "S03", "S04", "S12"},
			skipped: []string{"P03"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if least := time.Now().Add(2 * time.Second); expiry.Before(least) {
						expiry = least
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name:   "a past expiry, taken for no expiry, is the only defect",
			guilty: []string{"E04", "E06", "E22", "S12"}, skipped: []string{"P03"},
			mutate: func(r *reference) scs.Store {
				return &mutant{
					reference: r,
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						// A second, so that no delay makes a near expiry a past one.
						if time.Until(expiry) < -time.Second {
							expiry = time.Now().Add(time.Hour)
						}
						return r.CommitCtx(ctx, token, data, expiry)
					},
				}
			},
		},
	}
}

// TestInnocents shows that no case accuses a store of what is its right, or of the defect that another case is about.
func TestInnocents(t *testing.T) {
	t.Parallel()
	ids, _ := conformance.Cases()
	free := make(chan struct{}, 16) // A machine that is much too busy is not what this is about.
	for _, in := range innocents() {
		t.Run(strings.ReplaceAll(in.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			newStore := func(t *testing.T) scs.Store { return opened(t, in.mutate, newReference()) }
			opts := slices.Concat(capabilities(in.mutate), []conformance.Option{
				conformance.WithRequestScope(serialized), conformance.WithNoLostUpdates(nil),
			}, in.opts)
			var wg sync.WaitGroup
			for _, id := range ids {
				guilty := slices.Contains(in.guilty, id)
				opts := append(slices.Clip(opts), clockFor(id)...)
				if !guilty { // there is nothing to find
					opts = append(opts, conformance.WithSearchTime(50*time.Millisecond))
				}
				wg.Go(func() {
					free <- struct{}{}
					defer func() { <-free }()
					failures, skipped := conformance.Examine(t, id, newStore, opts...)
					// What shows only in a race, or in time, may escape a machine that is busy, but not always. An
					// innocent store has one attempt: it is never accused.
					for more := 4; guilty && len(failures) == 0 && more > 0; more-- {
						failures, skipped = conformance.Examine(t, id, newStore, opts...)
					}
					if accused := len(failures) > 0; accused != guilty {
						t.Errorf("%s: accused: %t %q", id, accused, failures)
					}
					if strings.Contains(skipped, "the machine is too slow") {
						t.Logf("%s: %s", id, skipped)
					} else if (skipped != "") != slices.Contains(in.skipped, id) {
						t.Errorf("%s: skipped: %q", id, skipped)
					}
				})
			}
			wg.Wait()
		})
	}
}

// dawdle is widen, except for the 2,500 sessions of I03, which would take a minute.
func dawdle(data []byte) {
	if len(data) != 600 {
		widen()
	}
}

// commitsUnless refuses what its backend has no room for.
func commitsUnless(refused func(token string, data []byte, expiry time.Time) bool) func(*reference) scs.Store {
	return func(r *reference) scs.Store {
		return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
			if refused(token, data, expiry) {
				return errors.New("out of range")
			}
			return r.CommitCtx(ctx, token, data, expiry)
		}}
	}
}

// closing lets a store of another shape be closed.
type closing struct{ based }

func (c closing) Close() error { return c.r.Close() }

// embedding has a Close that ends more than it started, and a StopCleanup that does not.
type embedding struct{ mutant }

func (e *embedding) StopCleanup() { _ = e.reference.Close() }
