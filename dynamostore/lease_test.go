package dynamostore_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// What a lease costs is a promise, too: one write to acquire it, and the session is read by it; one to renew or release
// it.
func TestCallsOfALease(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	f.mustPut(t, newRecord("small", strings.Repeat("d", 1024-overhead)))
	f.mustPut(t, newRecord("large", strings.Repeat("d", 4096)))
	update := map[string]int{"UpdateItem": 1}
	now := time.Now()
	acquire := func(key, id string, c storage.Condition) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := f.driver.Acquire(ctx, key, newLease(id), c)
			return err
		}
	}
	change := func(key string, lease storage.Lease, c storage.Condition) func(context.Context) error {
		return func(ctx context.Context) error {
			return f.driver.Update(ctx, key, storage.Change{Lease: &lease}, c)
		}
	}
	for _, step := range []struct {
		name   string
		do     func(context.Context) error
		calls  map[string]int
		writes float64
		want   error
	}{
		{"acquire", acquire("small", "first", storage.IfFree(now)), update, 1, nil},
		{"acquire what is held", acquire("small", "second", storage.IfFree(now)), update, 1, storage.ErrConflict},
		{"acquire the own lease", acquire("small", "first", storage.IfFree(now)), update, 1, nil},
		{
			"take over", acquire("small", "second", storage.IfFreeOrUnchanged(storage.Lease{ID: "other"}, now)), update, 1,
			storage.ErrConflict,
		},
		{"renew", change("small", newLease("first"), storage.IfLease("first")), update, 1, nil},
		{"release", change("small", storage.Lease{}, storage.IfLease("first")), update, 1, nil},
		{"release again", change("small", storage.Lease{}, storage.IfLease("first")), update, 1, storage.ErrConflict},
		{"acquire over 4 KB", acquire("large", "first", storage.IfFree(now)), update, 5, nil},
		{"acquire nothing", acquire("none", "first", storage.IfFree(now)), update, 1, storage.ErrConflict},
		{
			"acquire an impossible key", acquire("a\x00b", "first", storage.IfFree(now)),
			map[string]int{},
			0,
			storage.ErrConflict,
		},
		{"acquire no key", acquire("", "first", storage.IfFree(now)), map[string]int{}, 0, storage.ErrConflict},
	} {
		f.recorder.Reset()
		meter := &storage.Meter{}
		if err := step.do(storage.WithMeter(t.Context(), meter)); !errors.Is(err, step.want) {
			t.Errorf("%s: %v; want %v", step.name, err, step.want)
		}
		if got := f.recorder.Calls(); !maps.Equal(got, step.calls) {
			t.Errorf("%s: calls %v; want %v", step.name, got, step.calls)
		}
		want := storage.Usage{Calls: step.calls["UpdateItem"], WriteUnits: step.writes}
		if got := meter.Usage(); got != want {
			t.Errorf("%s: consumed %+v; want %+v", step.name, got, want)
		}
	}
}

// The largest session that can be stored can also be leased and extended.
func TestLargestItemCanBeLeased(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	now := time.Unix(time.Now().Unix(), 0) // short numbers, which the updates below make long
	r := storage.Record{
		Key: "key", CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Hour), Version: storage.NewVersion(),
	}
	r.Succeed(newRecord("key", ""))
	var tooLarge *storage.TooLargeError
	r.Data = make([]byte, 400*1024)
	if err := f.driver.Put(t.Context(), r, storage.Always()); !errors.As(err, &tooLarge) {
		t.Fatalf("%v; want a TooLargeError", err)
	}
	r.Data = make([]byte, len(r.Data)-(tooLarge.Size-tooLarge.Limit))
	if dynamotest.EngineName(t) == "dynoxide" { // dynoxide 1.2.1 takes an updated item for larger than one that is put
		r.Data = r.Data[:len(r.Data)-32]
	}
	if err := f.driver.Put(t.Context(), r, storage.Always()); err != nil {
		t.Fatalf("an item of the size that the refusal calls the limit: %v", err)
	}
	lease := storage.Lease{
		ID: storage.NewVersion(), Duration: time.Hour + time.Nanosecond, ExpiresAt: now.Add(time.Minute + time.Nanosecond),
	}
	if _, err := f.driver.Acquire(t.Context(), "key", lease, storage.IfFree(now)); err != nil {
		t.Fatalf("acquire: %v", err)
	}
	change := storage.Change{UpdatedAt: now.Add(1), ExpiresAt: now.Add(time.Hour + 1)}
	if err := f.driver.Update(t.Context(), "key", change, storage.IfLease(lease.ID)); err != nil {
		t.Errorf("extend: %v", err)
	}
}

// An item of another program, which does not say when it was written, is no tombstone.
func TestItemWithoutATimeIsAcquired(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	f.mustPut(t, newRecord("theirs", "data"))
	f.setAttribute(t, "theirs", "updated_at", nil)
	lease := newLease("first")
	if _, err := f.driver.Acquire(t.Context(), "theirs", lease, storage.IfFree(time.Now())); err != nil {
		t.Errorf("acquire: %v", err)
	}
	if _, err := f.driver.Acquire(t.Context(), "theirs", newLease("second"),
		storage.IfFreeOrUnchanged(lease, time.Now())); err != nil {
		t.Errorf("take over: %v", err)
	}
}

// An item that cannot be read is not taken for a session that can be acquired.
func TestCorruptItemIsNotAcquired(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	for _, id := range []string{"", "theirs"} {
		r := newRecord("bad", "data")
		r.Lease.ID = id
		f.mustPut(t, r)
		f.setAttribute(t, "bad", "data", nil)
		if _, err := f.driver.Acquire(t.Context(), "bad", newLease("mine"),
			storage.IfFree(time.Now())); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("lease %q: %v; want ErrCorrupt", id, err)
		}
	}
}
