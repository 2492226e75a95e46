package conformance_test

import (
	"context"
	"strconv"

	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// driverIndexed answers scans of its expiry index by a function.
type driverIndexed struct {
	*memory.Driver
	scan func(context.Context, *memory.Driver, storage.ExpiredRequest) (storage.ExpiredPage, error)
}

func driverIndexes(
	scan func(context.Context, *memory.Driver, storage.ExpiredRequest) (storage.ExpiredPage, error),
) func(*memory.Driver) storage.Driver {
	return func(m *memory.Driver) storage.Driver { return driverIndexed{m, scan} }
}

func (d driverIndexed) ScanExpired(ctx context.Context, r storage.ExpiredRequest) (storage.ExpiredPage, error) {
	return d.scan(ctx, d.Driver, r)
}

// driverUnsharded forgets all shards of its index but one.
type driverUnsharded struct{ *memory.Driver }

func (driverUnsharded) ExpiryShards() int { return 1 }

func (d driverUnsharded) ScanExpired(ctx context.Context, r storage.ExpiredRequest) (storage.ExpiredPage, error) {
	if err := r.Validate(1); err != nil {
		return storage.ExpiredPage{}, err
	}
	return d.Driver.ScanExpired(ctx, r)
}

// driverStale indexes what is put, and nothing else.
type driverStale struct {
	*memory.Driver
	index *memory.Driver
}

func (d driverStale) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	err := d.Driver.Put(ctx, r, c)
	if err == nil {
		_ = d.index.Put(ctx, r, storage.Always())
	}
	return err
}

func (d driverStale) ScanExpired(ctx context.Context, r storage.ExpiredRequest) (storage.ExpiredPage, error) {
	return d.index.ScanExpired(ctx, r)
}

// driverCountsEntries makes positions of how many entries were looked at.
func driverCountsEntries(ctx context.Context, m *memory.Driver, r storage.ExpiredRequest) (storage.ExpiredPage, error) {
	skip, err := 0, error(nil)
	if r.Start != "" {
		skip, err = strconv.Atoi(string(r.Start))
	}
	if err != nil {
		return storage.ExpiredPage{}, err
	}
	limit := r.Limit
	if limit == 0 {
		limit = 1000
	}
	r.Start, r.Limit = "", skip+limit+1
	page, err := m.ScanExpired(ctx, r)
	page.Entries = page.Entries[min(skip, len(page.Entries)):]
	page.Next = ""
	if len(page.Entries) > limit {
		page.Entries, page.Next = page.Entries[:limit], storage.Position(strconv.Itoa(skip+limit))
	}
	return page, err
}

// driverOverlooking deletes what has expired although it is leased.
type driverOverlooking struct{ *memory.Driver }

func (d driverOverlooking) Delete(ctx context.Context, key string, c storage.Condition) error {
	if r, found, _ := d.Get(ctx, key, storage.Strong); found && c.Kind == storage.KindExpiredAndFree && r.Expired(c.At) {
		c = storage.Always()
	}
	return d.Driver.Delete(ctx, key, c)
}
