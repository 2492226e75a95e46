package main

import (
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// newStore returns the store for the page's sessions. Visits that two requests have both counted are added up: by
// default, what the later one has made of the count would replace what the earlier one has.
func newStore(driver storage.Driver) (*sessionstore.Store, error) {
	sameKey := lockstrategy.PerKey(map[string]lockstrategy.SameKey{visitsKey: lockstrategy.Sum})
	return sessionstore.New(driver,
		sessionstore.WithStrategy(lockstrategy.Merge(sameKey)),
		// A session belongs to the name that is logged in: see devices.go.
		sessionstore.WithOwner(userKey, sessionstore.OwnerFrom(userKey)),
		sessionstore.WithOwnerDetails(detailsOf))
}
