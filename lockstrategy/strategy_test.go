package lockstrategy_test

import (
	"errors"
	"testing"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

func strategies() map[string]lockstrategy.Strategy {
	return map[string]lockstrategy.Strategy{
		"none": lockstrategy.None(), "optimistic": lockstrategy.Optimistic(), "merge": lockstrategy.Merge(), "lease": lockstrategy.Lease(),
	}
}

// A commit names what it was made from, and keeps the instant of creation.
func TestCommitsSucceedWhatWasRead(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies() {
		driver := memory.New()
		first := store(t, driver, map[string]any{})
		p := newProcess(t, driver, strategy)
		v := p.mustOpen()
		if err := errors.Join(v.set("a", 1), v.set("b", 1)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		v.end()
		if r, _ := stored(t, driver); r.Version == first.Version || !r.Descends(first.Version) || !r.CreatedAt.Equal(first.CreatedAt) {
			t.Errorf("%s: the record does not succeed the first one", name)
		}
	}
}

// A request that has ended its session does not bring it back, and one that has found none makes it once.
func TestCommitsOfOneRequest(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies() {
		driver := memory.New()
		p := newProcess(t, driver, strategy)
		_, request := p.request(t.Context())
		v := &visit{p: p, ctx: t.Context(), session: strategy.New(request, key), values: map[string]any{}, expiry: inAnHour()}
		if err := v.commit(); err != nil {
			t.Errorf("%s: the first commit: %v", name, err)
		}
		if err := v.commit(); err != nil {
			t.Errorf("%s: the second commit: %v", name, err)
		}
		if err := v.session.Delete(v.ctx); err != nil {
			t.Errorf("%s: the delete: %v", name, err)
		}
		if err := v.commit(); !errors.Is(err, lockstrategy.ErrSessionGone) {
			t.Errorf("%s: a commit after the delete: %v; want ErrSessionGone", name, err)
		}
		if toucher, ok := v.session.(lockstrategy.Toucher); ok {
			if err := toucher.Touch(v.ctx, storage.Change{ExpiresAt: inAnHour()}); err != nil {
				t.Errorf("%s: a touch after the delete: %v; want nothing", name, err)
			}
		}
		v.end()
		if r, _ := stored(t, driver); r.Key != "" {
			t.Errorf("%s: the session is back", name)
		}
	}
}
