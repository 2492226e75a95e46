package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
)

func dataMutations() []mutation {
	return []mutation{
		{
			name: "data ends at the first NUL", killers: []string{"D01", "D02", "D12"},
			mutate: keeps(func(data []byte) []byte { data, _, _ = bytes.Cut(data, []byte{0}); return data }),
		},
		{
			name: "empty data is not found", killers: []string{"D03", "D10"},
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
			name: "data is cut to a text column", killers: []string{"D15", "D06"},
			mutate: keeps(func(data []byte) []byte { return data[:min(len(data), 65535)] }),
		},
		{
			name: "data over 32 KB is refused", killers: []string{"D05"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if len(data) > 32<<10 {
						return errTooLarge
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
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
			name: "find reads into a buffer that it uses again", killers: []string{"D14"},
			mutate: func(r *reference) scs.Store {
				var mu sync.Mutex
				var buffer []byte
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := r.FindCtx(ctx, token)
					mu.Lock()
					defer mu.Unlock()
					buffer = append(buffer[:0], data...)
					return buffer, found, err
				}}
			},
		},
		{
			name: "a commit overwrites the data that an iteration has shown", killers: []string{"D14"},
			mutate: func(r *reference) scs.Store {
				var mu sync.Mutex
				shown := map[string][]byte{}
				return &mutant{
					reference: r,
					all: func(ctx context.Context) (map[string][]byte, error) {
						all, err := r.AllCtx(ctx)
						mu.Lock()
						defer mu.Unlock()
						maps.Copy(shown, all)
						return all, err
					},
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						mu.Lock()
						defer mu.Unlock()
						copy(shown[token], data)
						return r.CommitCtx(ctx, token, data, expiry)
					},
				}
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
