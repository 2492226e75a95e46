package main

import (
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// newStore returns the store for the page's sessions.
func newStore(driver storage.Driver) (*sessionstore.Store, error) {
	return sessionstore.New(driver, sessionstore.WithStrategy(lockstrategy.Merge(lockstrategy.WithSameKey(countAll))))
}

// countAll adds up the visits of two requests that have both counted one. By default, what the later one has made of the
// count would replace what the earlier one has.
func countAll(key string, base, ours, theirs lockstrategy.Value) (lockstrategy.Value, error) {
	if key == visitsKey && ours.Present && theirs.Present {
		before, _ := base.Value.(int)
		our, _ := ours.Value.(int)
		their, _ := theirs.Value.(int)
		return lockstrategy.Value{Value: their + our - before, Present: true}, nil
	}
	return lockstrategy.Ours(key, base, ours, theirs)
}
