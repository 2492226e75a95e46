package dynamostore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// A record whose creation is not known is stored as a whole, in place of one that has more, or less.
func TestPutOfUnknownCreationStoresAll(t *testing.T) {
	t.Parallel()
	for name, layout := range layouts {
		f := newFixture(t, layout)
		for i, leased := range []bool{true, false, true, false} {
			descended := i < 2
			for _, before := range []storage.Record{newLeased("key"), newRecord("key", "first"), {}} {
				key := fmt.Sprint("key", i, before.Version)
				if before.Key = key; before.Version != "" {
					f.mustPut(t, before)
				}
				next := newRecord(key, "next")
				next.CreatedAt = time.Time{}
				if descended {
					next.Succeed(newRecord(key, ""))
				}
				if leased {
					next.Lease = newLease("mine")
				}
				if err := f.driver.Put(t.Context(), next, storage.Always()); err != nil {
					t.Fatal(err)
				}
				want := next
				if want.CreatedAt = before.CreatedAt; before.Version == "" {
					want.CreatedAt = next.UpdatedAt
				}
				if got, found := f.stored(t, key); !found || !sameRecord(got, want) {
					t.Errorf("%s: leased %v, descended %v: stored %+v; want %+v", name, leased, descended, got, want)
				}
			}
		}
	}
}

// A change by which nothing tells it from that of another request is not taken for applied where its answers were lost.
func TestChangeThatCouldBeAnybodys(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	stored := newRecord("key", "data")
	f.mustPut(t, stored)
	f.faults.DropRequest("UpdateItem", 100)
	change := storage.Change{ExpiresAt: stored.ExpiresAt}
	if err := f.driver.Update(t.Context(), "key", change,
		storage.IfLive(time.Now())); !errors.Is(err, storage.ErrOutcomeUnknown) {
		t.Errorf("%v; want ErrOutcomeUnknown", err)
	}
}
