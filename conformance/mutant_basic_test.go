package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"path"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/scs/v2"
)

func basicMutations() []mutation {
	return []mutation{
		{
			name: "commit writes nothing", killers: []string{"B01", "D02", "S01"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(context.Context, string, []byte, time.Time) error { return nil }}
			},
		},
		{
			name: "an unknown token is an error", killers: []string{"B02", "B05"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := r.FindCtx(ctx, token)
					if !found && err == nil {
						err = errors.New("no rows in result set")
					}
					return data, found, err
				}}
			},
		},
		{
			name: "the first commit wins", killers: []string{"B03", "S16", "S20", "I13"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if _, found := r.get(token); found {
						return nil
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "shorter data leaves a tail", killers: []string{"B04"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if old, found := r.get(token); found && len(old.data) > len(data) {
						data = append(bytes.Clone(data), old.data[len(data):]...)
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "delete removes nothing", killers: []string{"B05", "P02", "S05", "S07", "S09", "S10", "S11", "S17"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, delete: func(context.Context, string) error { return nil }}
			},
		},
		{
			name: "deleting what is not there is an error", killers: []string{"B06", "B07", "B09", "S06"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, delete: func(ctx context.Context, token string) error {
					if _, found := r.get(token); !found {
						return errors.New("0 rows affected")
					}
					return r.DeleteCtx(ctx, token)
				}}
			},
		},
		{
			name: "finding the empty token is an error", killers: []string{"B08", "S09"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					if token == "" {
						return nil, false, errors.New("the key must not be empty")
					}
					return r.FindCtx(ctx, token)
				}}
			},
		},
		{
			name: "deleting the empty token deletes everything", killers: []string{"B09"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, delete: func(_ context.Context, token string) error {
					deleteWhere(r, func(key string) bool { return token == "" || key == token })
					return nil
				}}
			},
		},
		{
			name: "delete takes the token for a prefix", killers: []string{"B10", "B21"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, delete: func(_ context.Context, token string) error {
					deleteWhere(r, func(key string) bool { return token != "" && strings.HasPrefix(key, token) })
					return nil
				}}
			},
		},
		{
			name: "delete takes the token for a pattern", killers: []string{"B21"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, delete: func(_ context.Context, token string) error {
					deleteWhere(r, func(key string) bool { ok, _ := path.Match(token, key); return ok })
					return nil
				}}
			},
		},
		{
			name: "tokens are compared without case", killers: []string{"B11"},
			mutate: func(r *reference) scs.Store { return renamed(r, strings.ToLower) },
		},
		{
			name: "find takes the token for a prefix", killers: []string{"B13"},
			mutate: func(r *reference) scs.Store {
				return foundBy(r, func(token, key string) bool { return token != "" && strings.HasPrefix(key, token) })
			},
		},
		{
			name: "find takes the token for a pattern", killers: []string{"B14"},
			mutate: func(r *reference) scs.Store {
				return foundBy(r, func(token, key string) bool { ok, _ := path.Match(token, key); return ok || token == key })
			},
		},
		{
			name: "a token with odd characters is an error", killers: []string{"B14", "B15", "S13"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					if strings.ContainsAny(token, "./*%'$\x00") || !utf8.ValidString(token) {
						return nil, false, errors.New("malformed key")
					}
					return r.FindCtx(ctx, token)
				}}
			},
		},
		{
			name: "a token ends at the first NUL", killers: []string{"B15"},
			mutate: func(r *reference) scs.Store {
				return renamed(r, func(token string) string { token, _, _ = strings.Cut(token, "\x00"); return token })
			},
		},
		{
			name: "a token that is too long is an error", killers: []string{"B16", "S13"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					if len(token) > 2048 {
						return nil, false, errors.New("the key is too long")
					}
					return r.FindCtx(ctx, token)
				}}
			},
		},
		{
			name: "tokens are cut to a column's width", killers: []string{"B13", "B16"},
			mutate: func(r *reference) scs.Store {
				return renamed(r, func(token string) string { return token[:min(len(token), 43)] })
			},
		},
		{
			name: "finds are cached in the process", killers: []string{"B17"},
			mutate: func(r *reference) scs.Store {
				var cache sync.Map
				return &mutant{
					reference: r,
					find: func(ctx context.Context, token string) ([]byte, bool, error) {
						if data, cached := cache.Load(token); cached {
							return bytes.Clone(data.([]byte)), true, nil
						}
						data, found, err := r.FindCtx(ctx, token)
						if found {
							cache.Store(token, bytes.Clone(data))
						}
						return data, found, err
					},
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						cache.Delete(token)
						return r.CommitCtx(ctx, token, data, expiry)
					},
					delete: func(ctx context.Context, token string) error {
						cache.Delete(token)
						return r.DeleteCtx(ctx, token)
					},
				}
			},
		},
		{
			name: "what was deleted here is not found any more, whoever commits it", killers: []string{"B24"},
			mutate: func(r *reference) scs.Store {
				var dead sync.Map
				return &mutant{
					reference: r,
					find: func(ctx context.Context, token string) ([]byte, bool, error) {
						if _, deleted := dead.Load(token); deleted {
							return nil, false, nil
						}
						return r.FindCtx(ctx, token)
					},
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						dead.Delete(token)
						return r.CommitCtx(ctx, token, data, expiry)
					},
					delete: func(ctx context.Context, token string) error {
						dead.Store(token, true)
						return r.DeleteCtx(ctx, token)
					},
				}
			},
		},
		{
			name: "what was not found is remembered in the process", killers: []string{"B24"},
			mutate: func(r *reference) scs.Store {
				var unknown sync.Map
				return &mutant{
					reference: r,
					find: func(ctx context.Context, token string) ([]byte, bool, error) {
						if _, missed := unknown.Load(token); missed {
							return nil, false, nil
						}
						data, found, err := r.FindCtx(ctx, token)
						if !found && err == nil {
							unknown.Store(token, true)
						}
						return data, found, err
					},
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						unknown.Delete(token)
						return r.CommitCtx(ctx, token, data, expiry)
					},
				}
			},
		},
		{
			name: "the namespace is ignored", killers: []string{"B18"},
			mutate: func(r *reference) scs.Store { r.namespace = ""; return r },
		},
		{
			name: "tokens are trimmed", killers: []string{"B19"},
			mutate: func(r *reference) scs.Store { return renamed(r, strings.TrimSpace) },
		},
		{
			name: "a deletion lasts for ever", killers: []string{"B20", "P04"},
			mutate: func(r *reference) scs.Store {
				var dead sync.Map
				return &mutant{
					reference: r,
					delete: func(ctx context.Context, token string) error {
						dead.Store(token, true)
						return r.DeleteCtx(ctx, token)
					},
					commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
						if _, deleted := dead.Load(token); deleted {
							return nil
						}
						return r.CommitCtx(ctx, token, data, expiry)
					},
				}
			},
		},
		{
			name: "tokens are compared by a collation", killers: []string{"B22"},
			mutate: func(r *reference) scs.Store {
				return renamed(r, func(token string) string {
					return strings.Map(func(char rune) rune {
						switch {
						case char == 'á' || char == 'ａ':
							return 'a'
						case char > unicode.MaxASCII:
							return -1
						}
						return char
					}, token)
				})
			},
		},
		{
			name: "whatever is in the backend is a session", killers: []string{"B23"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := r.FindCtx(ctx, token)
					if errors.Is(err, errDamaged) {
						return []byte("of another kind"), true, nil
					}
					return data, found, err
				}}
			},
		},
	}
}

// renamed keeps sessions under what f makes of their tokens.
func renamed(r *reference, f func(string) string) scs.Store {
	return &mutant{
		reference: r,
		find: func(ctx context.Context, token string) ([]byte, bool, error) {
			return r.FindCtx(ctx, f(token))
		},
		commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
			return r.CommitCtx(ctx, f(token), data, expiry)
		},
		delete: func(ctx context.Context, token string) error { return r.DeleteCtx(ctx, f(token)) },
	}
}

// foundBy finds the first session that matches.
func foundBy(r *reference, match func(token, key string) bool) scs.Store {
	return &mutant{reference: r, find: func(_ context.Context, token string) ([]byte, bool, error) {
		for key, found := range r.list() {
			if match(token, key) && !found.expired() {
				return found.data, true, nil
			}
		}
		return nil, false, nil
	}}
}

func deleteWhere(r *reference, match func(key string) bool) {
	for key := range r.list() {
		if match(key) {
			r.remove(key)
		}
	}
}
