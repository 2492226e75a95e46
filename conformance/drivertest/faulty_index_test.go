package drivertest_test

import (
	"context"
	"strconv"

	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// indexed answers scans of its expiry index by a function.
type indexed struct {
	*memory.Driver
	scan func(context.Context, *memory.Driver, storage.ExpiredRequest) (storage.ExpiredPage, error)
}

func indexes(
	scan func(context.Context, *memory.Driver, storage.ExpiredRequest) (storage.ExpiredPage, error),
) func(*memory.Driver) storage.Driver {
	return func(m *memory.Driver) storage.Driver { return indexed{m, scan} }
}

func (d indexed) ScanExpired(ctx context.Context, r storage.ExpiredRequest) (storage.ExpiredPage, error) {
	return d.scan(ctx, d.Driver, r)
}

// unsharded forgets all shards of its index but one.
type unsharded struct{ *memory.Driver }

func (unsharded) ExpiryShards() int { return 1 }

func (d unsharded) ScanExpired(ctx context.Context, r storage.ExpiredRequest) (storage.ExpiredPage, error) {
	if err := r.Validate(1); err != nil {
		return storage.ExpiredPage{}, err
	}
	return d.Driver.ScanExpired(ctx, r)
}

// stale indexes what is put, and nothing else.
type stale struct {
	*memory.Driver
	index *memory.Driver
}

func (d stale) Put(ctx context.Context, r storage.Record, c storage.Condition) error {
	err := d.Driver.Put(ctx, r, c)
	if err == nil {
		_ = d.index.Put(ctx, r, storage.Always())
	}
	return err
}

func (d stale) ScanExpired(ctx context.Context, r storage.ExpiredRequest) (storage.ExpiredPage, error) {
	return d.index.ScanExpired(ctx, r)
}

// countsEntries makes positions of how many entries were looked at.
func countsEntries(ctx context.Context, m *memory.Driver, r storage.ExpiredRequest) (storage.ExpiredPage, error) {
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

// overlooking deletes what has expired although it is leased.
type overlooking struct{ *memory.Driver }

func (d overlooking) Delete(ctx context.Context, key string, c storage.Condition) error {
	if r, found, _ := d.Get(ctx, key, storage.Strong); found && c.Kind == storage.KindExpiredAndFree && r.Expired(c.At) {
		c = storage.Always()
	}
	return d.Driver.Delete(ctx, key, c)
}
