package conformance

import (
	"time"

	"github.com/alexedwards/scs/v2"
)

func lifecycleCases() []testCase {
	return []testCase{
		{
			id: "P05", name: "StopRightAfterNew",
			rule:  "a store may be stopped at any moment after it was made, also while it is used",
			needs: []need{needStop},
			alone: true,
			run: func(c *check) {
				for range 10 {
					s := c.newStore()
					token := c.token()
					// Calls to a store that is being closed may fail, but must return.
					c.Together(
						func() { _ = s.stop() },
						func() { _ = s.tryCommit(c.ctx, token, random(10), later()) },
						func() { _, _, _ = s.tryFind(c.ctx, token) },
					)
				}
			},
		},
		{
			id: "P06", name: "StopTwice",
			rule:  "stopping a store again does nothing and is not an error",
			needs: []need{needStop},
			alone: true, patience: 5 * time.Second,
			run: func(c *check) {
				token := c.token()
				c.store.commit(token, random(10), later())
				c.letBegin()
				for range 3 {
					if err := c.store.stop(); err != nil {
						c.Fatalf("stopping failed: %v", err)
					}
				}
			},
		},
		{
			id: "P07", name: "EarlyStopIsNotLost",
			rule:  "a store that is stopped before it was ever used leaves no goroutine running",
			needs: []need{needStop},
			alone: true,
			run: func(c *check) {
				c.wantNoGoroutines(func() {
					for range 10 {
						_ = c.newStore().stop()
					}
				})
			},
		},
		{
			id: "P08", name: "NoGoroutineIsLeft",
			rule:  "a store that was used and then stopped, or has no way to be stopped, leaves no goroutine running",
			alone: true,
			run: func(c *check) {
				c.wantNoGoroutines(func() {
					s := c.newStore()
					token := c.token()
					s.commit(token, random(10), later())
					s.find(token)
					s.delete(token)
					if s.iterable() {
						s.all()
					}
					if stopOf(s.store) != nil {
						c.letBegin()
						_ = s.stop()
					}
				})
			},
		},
	}
}

// stopOf returns the method that ends the background work of a store, or nil. These are the forms that stores for scs
// have. StopCleanup comes first: the Close of a store that has both can be that of a database which it embeds, and
// which others use.
func stopOf(store scs.Store) func() error {
	switch s := store.(type) {
	case stopCleanup:
		return func() error { s.StopCleanup(); return nil }
	case interface{ Close() error }:
		return s.Close
	case interface{ Close() }:
		return func() error { s.Close(); return nil }
	default:
		return nil
	}
}

type stopCleanup interface{ StopCleanup() }

// letBegin gives the background work of a store the time to begin, so that only P05 and P07 are about stopping it
// before. No verdict rests on its length.
func (c *check) letBegin() { c.WaitUntil(time.Now().Add(20 * time.Millisecond)) }

// stop expects a store that can be stopped.
func (s *caller) stop() error {
	name := "Close"
	if _, ok := s.store.(stopCleanup); ok {
		name = "StopCleanup"
	}
	step := s.c.Begin("%s%s()", s.label, name)
	err := stopOf(s.store)()
	s.c.End(step, "%v", err)
	return err
}

// wantNoGoroutines expects that f leaves no goroutine of the store running.
func (c *check) wantNoGoroutines(f func()) {
	c.WantNoGoroutines(c.store.store, min(5*time.Second, c.opts.timeout/2), f)
}
