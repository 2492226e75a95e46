package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

func iterationMutations() []mutation {
	return []mutation{
		{
			name: "an iteration over nothing returns nil", killers: []string{"I01"},
			mutate: iterates(func(_ *reference, all map[string][]byte) map[string][]byte {
				if len(all) == 0 {
					return nil
				}
				return all
			}),
		},
		{
			name: "a new store has a session", killers: []string{"I01"},
			mutate: iterates(func(_ *reference, all map[string][]byte) map[string][]byte {
				all["schema_version"] = nil
				return all
			}),
		},
		{
			name: "an iteration shows the same data everywhere", killers: []string{"I02", "I04"},
			mutate: iterates(func(_ *reference, all map[string][]byte) map[string][]byte {
				var last []byte
				for token := range all {
					last = append(last[:0], all[token]...)
					all[token] = last
				}
				return all
			}),
		},
		{
			name: "an iteration ends after one page", killers: []string{"I03"},
			mutate: iterates(func(_ *reference, all map[string][]byte) map[string][]byte {
				for _, token := range slices.Sorted(maps.Keys(all))[min(len(all), 1000):] {
					delete(all, token)
				}
				return all
			}),
		},
		{
			name: "an iteration shows keys with their prefix", killers: []string{"I02", "I04", "S11"},
			mutate: iterates(func(_ *reference, all map[string][]byte) map[string][]byte {
				keys := map[string][]byte{}
				for token, data := range all {
					keys["session:"+token] = data
				}
				return keys
			}),
		},
		{
			name: "an iteration is given up when something changes", killers: []string{"I06"},
			mutate: func(r *reference) scs.Store {
				var commits atomic.Int64
				return &mutant{
					reference: r,
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						commits.Add(1)
						return r.CommitCtx(ctx, token, data, expiry)
					},
					all: func(ctx context.Context) (map[string][]byte, error) {
						before := commits.Load()
						all, err := r.AllCtx(ctx)
						widen()
						if commits.Load() != before {
							return nil, errors.New("the snapshot is too old")
						}
						return all, err
					},
				}
			},
		},
		{
			name: "an iteration takes its read lock twice", killers: []string{"I06"},
			mutate: func(r *reference) scs.Store {
				var lock sync.RWMutex
				return &mutant{
					reference: r,
					all: func(ctx context.Context) (map[string][]byte, error) {
						lock.RLock()
						defer lock.RUnlock()
						if err := r.reach(ctx, ""); err != nil {
							return nil, err
						}
						all := map[string][]byte{}
						for token := range r.list() {
							lock.RLock() // As a method does that was meant for others.
							data, found, err := r.FindCtx(ctx, token)
							lock.RUnlock()
							if err != nil && !errors.Is(err, errDamaged) {
								return nil, err
							}
							if found {
								all[token] = data
							}
						}
						return all, ctx.Err()
					},
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						lock.Lock()
						defer lock.Unlock()
						return r.CommitCtx(ctx, token, data, expiry)
					},
				}
			},
		},
		{
			name: "an iteration takes its read lock twice at its beginning", killers: []string{"I06"},
			mutate: func(r *reference) scs.Store {
				var lock sync.RWMutex
				return &mutant{
					reference: r,
					all: func(ctx context.Context) (map[string][]byte, error) {
						lock.RLock()
						defer lock.RUnlock()
						lock.RLock()
						defer lock.RUnlock()
						return r.AllCtx(ctx)
					},
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						lock.Lock()
						defer lock.Unlock()
						return r.CommitCtx(ctx, token, data, expiry)
					},
				}
			},
		},
		{
			name: "the namespace is a pattern", killers: []string{"I08"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, all: func(context.Context) (map[string][]byte, error) {
					r.backend.mu.Lock()
					defer r.backend.mu.Unlock()
					all := map[string][]byte{}
					for key, found := range r.backend.records {
						if match, err := path.Match(r.namespace+"*", key); err != nil {
							return nil, err
						} else if match {
							all[strings.TrimPrefix(key, r.namespace)] = bytes.Clone(found.data)
						}
					}
					return all, nil
				}}
			},
		},
		{
			name: "an iteration shows whatever is there", killers: []string{"I09"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, all: func(ctx context.Context) (map[string][]byte, error) {
					if err := r.reach(ctx, ""); err != nil {
						return nil, err
					}
					all := map[string][]byte{}
					for token, found := range r.list() {
						if !found.expired() {
							all[token] = found.data
						}
					}
					return all, nil
				}}
			},
		},
		{
			name: "foreign data fails the iteration", killers: []string{"I09"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, all: func(ctx context.Context) (map[string][]byte, error) {
					for _, found := range r.list() {
						if found.damaged {
							return nil, errDamaged
						}
					}
					return r.AllCtx(ctx)
				}}
			},
		},
		{
			name: "an error midway ends the iteration early", killers: []string{"I10"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, all: func(ctx context.Context) (map[string][]byte, error) {
					all := map[string][]byte{}
					for token, found := range r.list() {
						if r.has(conformance.FaultScan) && len(all) > 0 {
							return all, nil // What a loop over rows does that never asks for the error.
						}
						if !found.damaged && !found.expired() {
							all[token] = found.data
						}
					}
					return all, ctx.Err()
				}}
			},
		},
		{
			name: "All shows less than AllCtx", killers: []string{"I11"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, plainAll: func() (map[string][]byte, error) { return map[string][]byte{}, nil }}
			},
		},
		{
			name: "an iteration hands out the store's own memory", killers: []string{"I12"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, all: func(ctx context.Context) (map[string][]byte, error) {
					all, err := r.AllCtx(ctx)
					r.backend.mu.Lock()
					defer r.backend.mu.Unlock()
					for token := range all {
						all[token] = r.backend.records[token].data
					}
					return all, err
				}}
			},
		},
		{
			name: "iterations are cached", killers: []string{"I12", "I13", "S11"},
			mutate: func(r *reference) scs.Store {
				var mu sync.Mutex
				var cached map[string][]byte
				return &mutant{reference: r, all: func(ctx context.Context) (all map[string][]byte, err error) {
					mu.Lock()
					defer mu.Unlock()
					if cached == nil {
						cached, err = r.AllCtx(ctx)
					}
					return cached, err
				}}
			},
		},
		{
			name: "an iteration leaves out empty sessions", killers: []string{"I14"},
			mutate: iterates(func(_ *reference, all map[string][]byte) map[string][]byte {
				maps.DeleteFunc(all, func(_ string, data []byte) bool { return len(data) == 0 })
				return all
			}),
		},
		{
			name: "only one iteration can run", killers: []string{"I15"},
			mutate: func(r *reference) scs.Store {
				var busy atomic.Bool
				return &mutant{reference: r, all: func(ctx context.Context) (map[string][]byte, error) {
					if !busy.CompareAndSwap(false, true) {
						return nil, errors.New("a cursor is already open")
					}
					defer busy.Store(false)
					widen()
					return r.AllCtx(ctx)
				}}
			},
		},
	}
}

// iterates changes the map of an iteration.
func iterates(f func(*reference, map[string][]byte) map[string][]byte) func(*reference) scs.Store {
	return func(r *reference) scs.Store {
		return &mutant{reference: r, all: func(ctx context.Context) (map[string][]byte, error) {
			all, err := r.AllCtx(ctx)
			if err != nil {
				return nil, err
			}
			return f(r, all), nil
		}}
	}
}
