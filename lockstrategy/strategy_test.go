package lockstrategy_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

func strategies() map[string]lockstrategy.Strategy {
	return map[string]lockstrategy.Strategy{
		"none": lockstrategy.None(), "optimistic": lockstrategy.Optimistic(), "merge": lockstrategy.Merge(nil),
		"lease": lockstrategy.Lease(lockstrategy.LeaseOptions{}),
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
		if r, _ := stored(t, driver); r.Version == first.Version || !r.Descends(first.Version) ||
			!r.CreatedAt.Equal(first.CreatedAt) {
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
		v := p.draw()
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
		if err := v.session.Touch(v.ctx, storage.Change{ExpiresAt: inAnHour()}); err != nil {
			t.Errorf("%s: a touch after the delete: %v; want nothing", name, err)
		}
		v.end()
		if _, values := stored(t, driver); values != nil {
			t.Errorf("%s: the session is back", name)
		}
	}
}

// A session that was written a short while ago leaves a tombstone, so that what was sent before cannot bring it back;
// one that has a new token since a short while, too, however old it is. A second delete does not take the tombstone
// away.
func TestDeleteLeavesATombstone(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies() {
		driver := memory.New()
		p := newProcess(t, driver, strategy)
		long := store(t, driver, map[string]any{})
		long.CreatedAt = time.Now().Add(-time.Hour)
		if err := driver.Put(t.Context(), long, storage.Always()); err != nil {
			t.Fatal(err)
		}
		v := p.mustOpen()
		if err := v.renew("renewed"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := v.session.Delete(v.ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			late := record("renewed", inAnHour())
			if err := driver.Put(t.Context(), late, storage.IfAbsent(time.Now())); !errors.Is(err, storage.ErrConflict) {
				t.Errorf("%s: a write that arrives late: %v; want a conflict", name, err)
			}
		}
		v.end()
		// The old token still names its successor, also after a logout with it.
		old := p.mustOpen()
		if err := old.session.Delete(old.ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		old.end()
		if r, _ := stored(t, driver); ended.Successor(r) != "renewed" {
			t.Errorf("%s: the tombstone of the old token names %q", name, ended.Successor(r))
		}
		// What was never there is not made.
		missed := p.mustOpenAt("never")
		if err := missed.session.Delete(missed.ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		missed.end()
		if _, found, _ := driver.Get(t.Context(), "never", storage.Strong); found {
			t.Errorf("%s: the delete of nothing has stored something", name)
		}
	}
}

// A commit that makes the session end ends it for good.
func TestCommitThatEndsTheSession(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies() {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, strategy)
		v := p.mustOpen()
		v.expiry = time.Now().Add(-time.Second)
		if err := v.commit(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, found := v.session.Record(); found {
			t.Errorf("%s: the request still has a session", name)
		}
		v.expiry = inAnHour()
		if err := v.commit(); !errors.Is(err, lockstrategy.ErrSessionGone) {
			t.Errorf("%s: a later commit: %v; want ErrSessionGone", name, err)
		}
		v.end()
		if _, values := stored(t, driver); values != nil {
			t.Errorf("%s: the session is there", name)
		}
	}
}

// Commits of one request in several goroutines wait for each other, and none is lost.
func TestCommitsOfOneRequestAtOnce(t *testing.T) {
	t.Parallel()
	for name, strategy := range strategies() {
		driver := stocked(t, map[string]any{})
		p := newProcess(t, driver, strategy)
		v := p.mustOpen()
		var done sync.WaitGroup
		for range 8 {
			done.Go(func() {
				own := *v
				own.values = map[string]any{"a": 1}
				if err := own.commit(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		done.Wait()
		v.end()
	}
}

// The same fault gives the same answer under every strategy: refused is refused, and only what is unknown is said to
// be.
func TestSameFaultSameAnswer(t *testing.T) {
	t.Parallel()
	later := storage.Change{ExpiresAt: inAnHour().Add(time.Hour), UpdatedAt: time.Now()}
	for operation, do := range map[string]func(v *visit) error{
		"commit": func(v *visit) error { return v.set("a", 1) },
		"renew":  func(v *visit) error { return v.renew("renewed") },
		"touch":  func(v *visit) error { return v.session.Touch(v.ctx, later) },
		"delete": func(v *visit) error { return v.session.Delete(v.ctx) },
	} {
		for _, fault := range []error{
			storage.ErrThrottled, storage.ErrUnavailable, storage.ErrTooLarge, context.Canceled, storage.ErrOutcomeUnknown,
		} {
			for _, exists := range []bool{true, false} {
				for name, strategy := range strategies() {
					if !exists && operation == "touch" { // makes no call
						continue
					}
					driver := memory.New()
					p := newProcess(t, driver, strategy)
					v := p.draw()
					if exists {
						store(t, driver, map[string]any{})
						v = p.mustOpen()
					}
					p.spy.set(func(string) error { return fault }, nil)
					err := do(v)
					p.spy.set(nil, nil)
					want, unknown := fault, errors.Is(fault, storage.ErrOutcomeUnknown)
					if unknown && operation == "renew" && exists { // the old session was not touched
						want, unknown = storage.ErrUnavailable, false
					}
					if !errors.Is(err, want) || errors.Is(err, storage.ErrOutcomeUnknown) != unknown {
						t.Errorf("%s: %s of a session that exists, %v: with %v: %v", name, operation, exists, fault, err)
					}
					v.end()
				}
			}
		}
	}
}
