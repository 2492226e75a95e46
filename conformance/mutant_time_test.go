package conformance_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
)

func expiryMutations() []mutation {
	return []mutation{
		{
			name: "expired sessions are found", killers: []string{"E01", "E03", "E04", "E08", "S04", "S12"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					if err := r.reach(ctx, token); err != nil {
						return nil, false, err
					}
					found, ok := r.get(token)
					return found.data, ok, nil
				}}
			},
		},
		{
			name: "the expiry is cut to whole seconds", killers: []string{"E02"},
			mutate: expiresAt(func(at time.Time) time.Time { return at.Truncate(time.Second) }),
		},
		{
			name: "lifetimes are rounded up to whole seconds", killers: []string{"E01", "E03", "E08", "E20"},
			mutate: expiresAt(func(at time.Time) time.Time {
				if left := time.Until(at); left > 0 {
					return time.Now().Add(left.Truncate(time.Second) + time.Second)
				}
				return at
			}),
		},
		{
			name: "a past expiry is an error", killers: []string{"E04", "E06", "S12"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if !expiry.After(time.Now()) {
						return errors.New("invalid expire time")
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "a past expiry leaves the session as it was", killers: []string{"E04"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if !expiry.After(time.Now()) {
						return nil
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "the zero time means never", killers: []string{"E06"},
			mutate: expiresAt(func(at time.Time) time.Time {
				if at.IsZero() {
					return time.Now().Add(time.Hour)
				}
				return at
			}),
		},
		{name: "the expiry is unsigned", killers: []string{"E06"}, mutate: expiresAt(func(at time.Time) time.Time {
			if at.Unix() < 0 {
				return time.Now().Add(time.Hour)
			}
			return at
		})},
		{
			name: "an overwrite keeps the expiry", killers: []string{"E07", "E08", "S03"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if old, found := r.get(token); found && !old.expired() {
						expiry = old.expiry
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "the expiry only grows", killers: []string{"E04", "E08"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if old, found := r.get(token); found && old.expiry.After(expiry) {
						expiry = old.expiry
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "an expired record is in the way of a commit", killers: []string{"E09", "E18"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if old, found := r.get(token); found && old.expired() {
						return errors.New("duplicate key")
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "a commit over an expired record lasts for ever", killers: []string{"E18"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if old, found := r.get(token); found && old.expired() {
						expiry = expiry.Add(time.Hour)
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "the zone of the expiry is dropped", killers: []string{"E10"},
			mutate: expiresAt(func(at time.Time) time.Time {
				return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
			}),
		},
		{
			name: "the seconds of the zone are dropped", killers: []string{"E19"},
			mutate: expiresAt(func(at time.Time) time.Time {
				parsed, err := time.Parse(time.RFC3339Nano, at.Format(time.RFC3339Nano))
				if err != nil {
					return at
				}
				return parsed
			}),
		},
		{name: "the expiry has 32 bits", killers: []string{"E12", "E13"}, mutate: expiresAt(func(at time.Time) time.Time {
			return time.Unix(int64(int32(at.Unix())), int64(at.Nanosecond()))
		})},
		{
			name: "the expiry is counted in nanoseconds", killers: []string{"E22", "E13"},
			mutate: expiresAt(func(at time.Time) time.Time {
				return time.Unix(0, at.UnixNano())
			}),
		},
		{
			name: "the expiry is stored as its text", killers: []string{"E20"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					parsed, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", expiry.String()) // Which may end in m=+0.1.
					if err != nil {
						return err
					}
					return r.CommitCtx(ctx, token, data, parsed)
				}}
			},
		},
		{
			name: "an iteration shows expired sessions", killers: []string{"E14", "I11"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, all: func(context.Context) (map[string][]byte, error) {
					all := map[string][]byte{}
					for token, found := range r.list() {
						all[token] = found.data
					}
					return all, nil
				}}
			},
		},
		{
			name: "find deletes what has expired, in two steps", killers: []string{"E15"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					if found, ok := r.get(token); ok && found.expired() {
						widen()
						r.remove(token)
						return nil, false, nil
					}
					return r.FindCtx(ctx, token)
				}}
			},
		},
		{
			name: "find deletes what has expired, in two steps without a pause", killers: []string{"E15"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					if found, ok := r.get(token); ok && found.expired() {
						r.remove(token)
						return nil, false, nil
					}
					return r.FindCtx(ctx, token)
				}}
			},
		},
		{
			name: "the collection deletes what was renewed meanwhile, without a pause", killers: []string{"E17"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, sweep: func() {
					for token, f := range r.list() {
						if f.expired() {
							r.remove(token)
						}
					}
				}}
			},
		},
		{
			name: "the collection looks at each session before it deletes it, without a pause", killers: []string{"E17"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, sweep: func() {
					for token := range r.list() {
						if f, found := r.get(token); found && f.expired() {
							r.remove(token)
						}
					}
				}}
			},
		},
		{
			name: "a lifetime ends after thirty days", killers: []string{"E23"},
			mutate: lives(func(d time.Duration) time.Duration { return min(d, 30*24*time.Hour) }),
		},
		{
			name: "beyond a year, a lifetime is cut to months", killers: []string{"E23"},
			mutate: lives(func(d time.Duration) time.Duration {
				if d < 365*24*time.Hour {
					return d
				}
				return d.Truncate(30 * 24 * time.Hour)
			}),
		},
		{
			name: "a lifetime over 45 minutes is a quarter of an hour longer", killers: []string{"E23"},
			mutate: lives(func(d time.Duration) time.Duration {
				if d > 45*time.Minute {
					d += 15 * time.Minute
				}
				return d
			}),
		},
		{
			name: "a lifetime over a day is cut to hours", killers: []string{"E23"},
			mutate: lives(func(d time.Duration) time.Duration {
				if d > 24*time.Hour {
					d -= d%time.Hour + time.Minute
				}
				return d
			}),
		},
		{
			name: "the collection ends after one batch", killers: []string{"E16"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, sweep: func() {
					n := 0
					for token, found := range r.list() {
						if found.expired() && n < 25 {
							r.remove(token)
							n++
						}
					}
				}}
			},
		},
		{
			name: "the collection deletes what was renewed meanwhile", killers: []string{"E17"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, sweep: func() {
					found := r.list()
					widen()
					for token, f := range found {
						if f.expired() {
							r.remove(token)
						}
					}
				}}
			},
		},
		{
			name: "the collection deletes what is live", killers: []string{"E17"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, sweep: func() { deleteWhere(r, func(string) bool { return true }) }}
			},
		},
		{
			name: "finding a session extends it", killers: []string{"E21"},
			mutate: func(r *reference) scs.Store {
				var mu sync.Mutex
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					mu.Lock()
					defer mu.Unlock()
					if found, ok := r.get(token); ok && !found.expired() {
						found.expiry = time.Now().Add(time.Minute)
						r.put(token, found)
					}
					return r.FindCtx(ctx, token)
				}}
			},
		},
	}
}

// lives makes another lifetime of the one that is asked for.
func lives(f func(time.Duration) time.Duration) func(*reference) scs.Store {
	return expiresAt(func(at time.Time) time.Time {
		now := time.Now()
		return now.Add(f(at.Sub(now)))
	})
}

// expiresAt stores another expiry than was given.
func expiresAt(f func(time.Time) time.Time) func(*reference) scs.Store {
	return func(r *reference) scs.Store {
		return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
			return r.CommitCtx(ctx, token, data, f(expiry))
		}}
	}
}
