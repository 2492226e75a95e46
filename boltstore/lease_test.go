package boltstore_test

import (
	"errors"
	"fmt"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/scsdynamo/scsdynamo/storage"
)

// TestAcquiredIsOnTheDisk shows that nobody is told of a lease that is not stored.
func TestAcquiredIsOnTheDisk(t *testing.T) {
	t.Parallel()
	driver := open(t)
	r := record("key", "data")
	put(t, driver, r)
	broken := errors.New("broken disk")
	driver.SetCommit(func(*bolt.Tx) error { return broken })
	seen, err := driver.Acquire(t.Context(), "key", storage.Lease{ID: "lease"}, storage.IfFree(r.UpdatedAt))
	if !errors.Is(err, broken) || seen.Key != "" || seen.Data != nil {
		t.Errorf("%v, and a record: %v; want the error of the disk, and none", err, seen.Key != "")
	}
	driver.SetCommit((*bolt.Tx).Commit)
	if seen := get(t, driver, "key"); !seen.Lease.Free() {
		t.Error("there is a lease that nobody acquired")
	}
}

// TestOwnLeaseCostsNoTransaction acquires a lease twice. The second time there is nothing to write, so no disk to wait
// for.
func TestOwnLeaseCostsNoTransaction(t *testing.T) {
	t.Parallel()
	driver := open(t)
	r := record("key", "data")
	put(t, driver, r)
	before := transactions(t, driver)
	for range 2 {
		seen, err := driver.Acquire(t.Context(), "key", storage.Lease{ID: "lease"}, storage.IfFree(r.UpdatedAt))
		if err != nil || seen.Lease.ID != "lease" || string(seen.Data) != "data" {
			t.Fatalf("the record: %v, %v", seen.Lease.ID == "lease", err)
		}
	}
	if n := transactions(t, driver) - before; n != 1 {
		t.Errorf("%d transactions; want 1", n)
	}
}

// TestAcquisitionsShareTransaction queues acquisitions of one record behind another write. They are judged one after
// the other although they share a transaction.
func TestAcquisitionsShareTransaction(t *testing.T) {
	t.Parallel()
	driver := open(t)
	r := record("key", "data")
	put(t, driver, r)
	before := transactions(t, driver)
	writes := map[string]func() error{}
	const n = 20
	for i := range n {
		id := fmt.Sprint("lease ", i)
		writes[id] = func() error {
			seen, err := driver.Acquire(t.Context(), "key", storage.Lease{ID: id}, storage.IfFree(r.UpdatedAt))
			if err == nil && (seen.Lease.ID != id || string(seen.Data) != "data") {
				return errors.New("another record was returned")
			}
			return err
		}
	}
	results, wait := queueUp(t, driver, writes)
	wait()
	stored := get(t, driver, "key")
	for id, err := range results {
		switch {
		case id == "first":
		case id == stored.Lease.ID && err != nil:
			t.Errorf("who has the lease was told: %v", err)
		case id != stored.Lease.ID && !errors.Is(err, storage.ErrConflict):
			t.Errorf("who has no lease was told: %v", err)
		}
	}
	if stored.Lease.Free() {
		t.Error("nobody has the lease")
	}
	if got := transactions(t, driver) - before; got > 2 {
		t.Errorf("%d acquisitions took %d transactions", n, got)
	}
}
