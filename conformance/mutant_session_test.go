package conformance_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

func sessionMutations() []mutation {
	scoped := func(f func(scs.Store, *scs.SessionManager) func(http.Handler) http.Handler) []conformance.Option {
		return []conformance.Option{conformance.WithRequestScope(f), conformance.WithTimeout(2 * time.Second)}
	}
	return []mutation{
		{
			name: "the middleware saves every session", killers: []string{"S02", "S19"}, mutate: unchanged,
			opts: scoped(func(_ scs.Store, sessions *scs.SessionManager) func(http.Handler) http.Handler {
				return func(next http.Handler) http.Handler {
					return sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						next.ServeHTTP(w, r)
						_, _, _ = sessions.Commit(r.Context())
					}))
				}
			}),
		},
		{
			name: "the middleware keeps its lock when a handler panics", killers: []string{"S18"}, mutate: unchanged,
			opts: scoped(func(_ scs.Store, sessions *scs.SessionManager) func(http.Handler) http.Handler {
				var mu sync.Mutex
				return func(next http.Handler) http.Handler {
					next = sessions.LoadAndSave(next)
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						mu.Lock()
						next.ServeHTTP(w, r)
						mu.Unlock()
					})
				}
			}),
		},
		{
			name: "updates are lost although the store promises to keep them", killers: []string{"S14"}, mutate: unchanged,
			opts: []conformance.Option{
				conformance.WithNoLostUpdates(nil),
				conformance.WithRequestScope(func(_ scs.Store, sessions *scs.SessionManager) func(http.Handler) http.Handler {
					return func(next http.Handler) http.Handler {
						return sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							widen()
							next.ServeHTTP(w, r)
						}))
					}
				}),
			},
		},
		{
			name: "every commit after the first is a conflict", killers: []string{"S14"},
			mutate: func(r *reference) scs.Store {
				var conflicts atomic.Bool
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if !conflicts.CompareAndSwap(false, true) {
						return errThrottled
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
			opts: []conformance.Option{
				conformance.WithNoLostUpdates(func(err error) bool { return errors.Is(err, errThrottled) }),
			},
		},
		{
			name: "parallel commits of one session are an error", killers: []string{"S14", "P01"},
			mutate: func(r *reference) scs.Store {
				var busy sync.Map
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if _, taken := busy.LoadOrStore(token, true); taken {
						return errors.New("could not serialize access")
					}
					defer busy.Delete(token)
					widen()
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "a commit whose context has ended writes half", killers: []string{"S15", "C02"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if ctx.Err() != nil {
						r.put(token, record{data: data[:len(data)/2], expiry: expiry})
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "only tokens of scs's own length are found", killers: []string{"S13"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					if token != "" && len(token) != 43 {
						return nil, false, errors.New("not a session token")
					}
					return r.FindCtx(ctx, token)
				}}
			},
		},
	}
}
