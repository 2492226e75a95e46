package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

func faultMutations() []mutation {
	return []mutation{
		{
			name: "a fault is reported as not found", killers: []string{"F01", "S21"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := r.FindCtx(ctx, token)
					if errors.Is(err, errDown) {
						err = nil
					}
					return data, found, err
				}}
			},
		},
		{
			name: "an iteration during a fault is empty", killers: []string{"F01"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, all: func(ctx context.Context) (map[string][]byte, error) {
					all, err := r.AllCtx(ctx)
					if errors.Is(err, errDown) {
						return map[string][]byte{}, nil
					}
					return all, err
				}}
			},
		},
		{
			name: "a failed commit is swallowed", killers: []string{"F02", "F06", "S08"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if err := r.CommitCtx(ctx, token, data, expiry); !errors.Is(err, errDown) {
						return err
					}
					return nil
				}}
			},
		},
		{
			name: "a failed deletion is swallowed", killers: []string{"F02"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, delete: func(ctx context.Context, token string) error {
					if err := r.DeleteCtx(ctx, token); !errors.Is(err, errDown) {
						return err
					}
					return nil
				}}
			},
		},
		{
			name: "after one fault everything fails", killers: []string{"F03", "S21"},
			mutate: func(r *reference) scs.Store {
				var broken atomic.Bool
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					if broken.Load() {
						return nil, false, errDown
					}
					data, found, err := r.FindCtx(ctx, token)
					broken.Store(errors.Is(err, errDown))
					return data, found, err
				}}
			},
			opts: []conformance.Option{conformance.WithTimeout(2 * time.Second)},
		},
		{
			name: "a damaged record panics", killers: []string{"F04"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := r.FindCtx(ctx, token)
					if errors.Is(err, errDamaged) {
						panic("index out of range")
					}
					return data, found, err
				}}
			},
		},
		{
			name: "a damaged record is found as an empty session", killers: []string{"F04"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := r.FindCtx(ctx, token)
					if errors.Is(err, errDamaged) {
						return nil, true, nil
					}
					return data, found, err
				}}
			},
		},
		{
			name: "a throttled find is a miss", killers: []string{"F05"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					if r.has(conformance.FaultThrottle) {
						return nil, false, nil
					}
					return r.FindCtx(ctx, token)
				}}
			},
		},
		{
			name: "a throttled commit is dropped", killers: []string{"F05"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					if r.has(conformance.FaultThrottle) {
						return nil
					}
					return r.CommitCtx(ctx, token, data, expiry)
				}}
			},
		},
		{
			name: "a throttled commit fails after it has written", killers: []string{"F05"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					throttled := r.has(conformance.FaultThrottle)
					if err := r.CommitCtx(ctx, token, data, expiry); err != nil || !throttled {
						return err
					}
					return errThrottled
				}}
			},
		},
		{
			name: "a failed commit loses the session", killers: []string{"F06"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					err := r.CommitCtx(ctx, token, data, expiry)
					if errors.Is(err, errDown) {
						r.remove(token)
					}
					return err
				}}
			},
		},
		{
			name: "the second try of an applied commit is a conflict", killers: []string{"F07"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					lost := r.has(conformance.FaultLostResponse)
					if err := r.CommitCtx(ctx, token, data, expiry); err != nil || !lost {
						return err
					}
					return errors.New("the session was changed by somebody else")
				}}
			},
		},
		{
			name: "errors contain the token", killers: []string{"F08"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, find: func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := r.FindCtx(ctx, token)
					if err != nil {
						err = fmt.Errorf("finding %q: %w", token, err)
					}
					return data, found, err
				}}
			},
		},
		{
			name: "errors contain the data", killers: []string{"F08"},
			mutate: func(r *reference) scs.Store {
				return &mutant{reference: r, commit: func(ctx context.Context, token string, data []byte, expiry time.Time) error {
					err := r.CommitCtx(ctx, token, data, expiry)
					if err != nil {
						err = fmt.Errorf("committing %s: %w", data, err)
					}
					return err
				}}
			},
		},
	}
}
