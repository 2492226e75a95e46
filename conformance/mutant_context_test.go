package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

func contextMutations() []mutation {
	return []mutation{
		{
			name: "find ignores its context", killers: []string{"C01", "C05", "C08", "C09"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(_ context.Context,
					token string,
				) ([]byte, bool, error) {
					return r.Find(token)
				}}
			},
			opts: []conformance.Option{conformance.WithTimeout(time.Second)},
		},
		{
			name: "a cancelled find is a miss", killers: []string{"C01", "C09"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					if ctx.Err() != nil {
						return nil, false, nil //nolint:nilerr // That is the defect.
					}
					return r.FindCtx(ctx, token)
				}}
			},
		},
		{
			name: "commit ignores its context", killers: []string{"C02", "C09"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(_ context.Context, token string, data []byte, expiry time.Time) error {
					return r.Commit(token, data, expiry)
				}}
			},
		},
		{
			name: "a cancelled commit writes and then fails", killers: []string{"C02", "C08", "C09"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					return errors.Join(r.Commit(token, data, expiry), ctx.Err())
				}}
			},
		},
		{
			name: "a cancelled delete removes and then fails", killers: []string{"C03", "C09"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, delete: func(ctx context.Context, token string) error {
					return errors.Join(r.Delete(token), ctx.Err())
				}}
			},
		},
		{
			name: "an iteration ignores its context", killers: []string{"C04", "C08"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, all: func(context.Context) (map[string][]byte, error) { return r.All() }}
			},
		},
		{
			name: "context errors cannot be matched", killers: []string{"C01", "C08", "C09"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := r.FindCtx(ctx, token)
					if err != nil {
						err = fmt.Errorf("find: %v", err) //nolint:errorlint // That is the defect.
					}
					return data, found, err
				}}
			},
		},
		{
			name: "only find takes a context", killers: []string{"C06"},
			mutate: func(r *reference) scs.Store {
				return &struct {
					scs.Store
					findOnly
					based
				}{r, findOnly{r}, based{r}}
			},
		},
		{
			name: "the plain methods panic", killers: []string{"C07"},
			mutate: func(r *reference) scs.Store { return contextOnly{r} },
		},
		{
			name: "an iteration takes no context", killers: []string{"C10"},
			mutate: func(r *reference) scs.Store {
				return &struct {
					scs.CtxStore
					scs.IterableStore
					based
				}{r, r, based{r}}
			},
		},
		{
			name: "a commit is undone when its context ends", killers: []string{"C11"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					err := r.CommitCtx(ctx, token, data, expiry)
					context.AfterFunc(ctx, func() { r.remove(token) })
					return err
				}}
			},
		},
	}
}

// based lets a store of another shape be found by baseOf.
type based struct{ r *reference }

func (b based) base() *reference { return b.r }

func (b based) collect() { b.r.collect() }

type findOnly struct{ r *reference }

func (s findOnly) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	return s.r.FindCtx(ctx, token)
}

// contextOnly is what several stores for scs do.
type contextOnly struct{ *reference }

func (contextOnly) Find(string) ([]byte, bool, error) { panic("missing context arg") }

func (contextOnly) Commit(string, []byte, time.Time) error { panic("missing context arg") }

func (contextOnly) Delete(string) error { panic("missing context arg") }
