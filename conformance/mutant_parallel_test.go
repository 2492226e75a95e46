package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

func parallelMutations() []mutation {
	return []mutation{
		{
			name: "a commit looks first and then inserts", killers: []string{"P01"},
			mutate: func(r *reference) scs.Store {
				var inserted sync.Map
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if _, found := r.get(token); !found {
						widen()
						if _, twice := inserted.LoadOrStore(token, true); twice {
							return errors.New("duplicate key")
						}
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "all calls share one statement", killers: []string{"P02"},
			mutate: func(r *reference) scs.Store {
				var bound atomic.Value
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					bound.Store(token)
					widen()
					return r.FindCtx(ctx, bound.Load().(string))
				}}
			},
		},
		{
			name: "data and expiry are two writes", killers: []string{"P03"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(_ context.Context, token string, data []byte, expiry time.Time) error {
					old, found := r.get(token)
					if !found {
						old.expiry = expiry
					}
					old.data = data
					r.put(token, old)
					widen()
					now, _ := r.get(token)
					now.expiry = expiry
					r.put(token, now)
					return nil
				}}
			},
		},
		{
			name: "a delete that meets a commit puts the old session back", killers: []string{"P04"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, delete: func(_ context.Context, token string) error {
					before, found := r.get(token)
					if !found {
						return nil
					}
					widen()
					if now, _ := r.get(token); !bytes.Equal(now.data, before.data) {
						r.put(token, before)
						return nil
					}
					r.remove(token)
					return nil
				}}
			},
		},
		{
			name: "a call after Close panics", killers: []string{"P05"},
			mutate: func(r *reference) scs.Store {
				closed := make(chan struct{})
				return &mutant{
					reference: r,
					close:     func() error { close(closed); return nil },
					find: func(ctx context.Context, token string) ([]byte, bool, error) {
						widen()
						select {
						case <-closed:
							panic("send on closed channel")
						default:
							return r.FindCtx(ctx, token)
						}
					},
				}
			},
		},
		{
			name: "Close works once", killers: []string{"P06"},
			mutate: func(r *reference) scs.Store {
				closed := make(chan struct{})
				return &mutant{reference: r, close: func() error { close(closed); return nil }}
			},
		},
		{
			name: "closing again is an error", killers: []string{"P06"},
			mutate: func(r *reference) scs.Store {
				var closed atomic.Bool
				return &mutant{reference: r, close: func() error {
					if !closed.CompareAndSwap(false, true) {
						return errors.New("already closed")
					}
					return nil
				}}
			},
		},
		{
			name: "Close before the first use is lost", killers: []string{"P07"},
			mutate: func(r *reference) scs.Store {
				var used atomic.Bool
				return &mutant{
					reference: r,
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						used.Store(true)
						return r.CommitCtx(ctx, token, data, expiry)
					},
					close: func() error {
						if used.Load() {
							return r.Close()
						}
						return nil
					},
				}
			},
			opts: []conformance.Option{conformance.WithTimeout(6 * time.Second)},
		},
		{
			name: "each commit starts a timer that Close forgets", killers: []string{"P08"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					go expireLater(r, token, expiry)
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
			opts: []conformance.Option{conformance.WithTimeout(6 * time.Second)},
		},
		{
			name: "a commit is written in two parts", killers: []string{"P13"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if err := r.CommitCtx(ctx, token, data[:len(data)/2], expiry); err != nil {
						return err
					}
					widen()
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "a commit deletes and then inserts", killers: []string{"P13"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					r.remove(token)
					widen()
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "commits are written later", killers: []string{"P14", "B01"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(_ context.Context, token string, data []byte, expiry time.Time) error {
					data = bytes.Clone(data)
					time.AfterFunc(time.Millisecond, func() { r.put(token, record{data: data, expiry: expiry}) })
					return nil
				}}
			},
		},
	}
}

// expireLater goes on after Close, for longer than a case waits.
func expireLater(r *reference, token string, expiry time.Time) {
	<-time.After(min(time.Until(expiry), time.Minute))
	r.remove(token)
}
