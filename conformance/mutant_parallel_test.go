package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
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
			opts: []conformance.Option{conformance.WithTimeout(time.Second)},
		},
		{
			name: "each commit starts a timer that Close forgets", killers: []string{"P08"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					go expireLater(r, token, expiry)
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
			opts: []conformance.Option{conformance.WithTimeout(time.Second)},
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

// expireLater outlives the store. It ends with the test that the store was made for.
func expireLater(r *reference, token string, expiry time.Time) {
	select {
	case <-time.After(time.Until(expiry)):
		r.remove(token)
	case <-r.stop:
		<-time.After(2 * time.Minute)
	}
}

func dataMutations() []mutation {
	return []mutation{
		{
			name: "data ends at the first NUL", killers: []string{"D01", "D02", "D12"},
			mutate: keeps(func(data []byte) []byte { data, _, _ = bytes.Cut(data, []byte{0}); return data }),
		},
		{
			name: "empty data is not found", killers: []string{"D03", "D10", "B04"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := r.FindCtx(ctx, token)
					return data, found && len(data) > 0, err
				}}
			},
		},
		{
			name: "nil data is a deletion", killers: []string{"D10"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if data == nil {
						return r.DeleteCtx(ctx, token)
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "data is cut to a text column", killers: []string{"D05", "D06"},
			mutate: keeps(func(data []byte) []byte { return data[:min(len(data), 65535)] }),
		},
		{
			name: "data over 256 KB is refused", killers: []string{"D06", "D11"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if len(data) > 256<<10 {
						return errTooLarge
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "data over the limit is cut", killers: []string{"D07"},
			mutate: keeps(func(data []byte) []byte { return data[:min(len(data), largest)] }),
		},
		{
			name: "data over the limit is dropped in silence", killers: []string{"D07"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if err := r.CommitCtx(ctx, token, data, expiry); !errors.Is(err, errTooLarge) {
						return err
					}
					return nil
				}}
			},
		},
		{
			name: "data over the limit removes the session", killers: []string{"D07"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					r.remove(token)
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "commit keeps the caller's slice", killers: []string{"D08"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(_ context.Context, token string, data []byte, expiry time.Time) error {
					r.backend.mu.Lock()
					defer r.backend.mu.Unlock()
					r.backend.records[r.key(token)] = record{data: data, expiry: expiry}
					return nil
				}}
			},
		},
		{
			name: "find hands out the store's slice", killers: []string{"D09"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					if _, found, err := r.FindCtx(ctx, token); !found || err != nil {
						return nil, false, err
					}
					r.backend.mu.Lock()
					defer r.backend.mu.Unlock()
					return r.backend.records[r.key(token)].data, true, nil
				}}
			},
		},
		{
			name: "data is trimmed", killers: []string{"D12"},
			mutate: keeps(bytes.TrimSpace),
		},
		{
			name: "data must be valid text", killers: []string{"D01", "D12"},
			mutate: keeps(func(data []byte) []byte { return []byte(strings.ToValidUTF8(string(data), "\ufffd")) }),
		},
		{
			name: "a chunk that is exactly full is lost", killers: []string{"D13"},
			mutate: keeps(func(data []byte) []byte {
				if len(data) > 0 && len(data)%4096 == 0 {
					return data[:len(data)-4096]
				}
				return data
			}),
		},
	}
}

// keeps stores other data than was given.
func keeps(f func([]byte) []byte) func(*reference) scs.Store {
	return func(r *reference) scs.Store {
		return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
			if over := len(data) > largest; over && len(f(data)) == len(data) {
				return errTooLarge
			}
			return r.CommitCtx(ctx, token, f(bytes.Clone(data)), expiry)
		}}
	}
}
