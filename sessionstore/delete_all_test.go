package sessionstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// batches deletes many records at once, or fails to.
type batches struct {
	*memory.Driver
	fail    error
	batches int
}

func (d *batches) DeleteBatch(ctx context.Context, keys []string) error {
	d.batches++
	if d.fail != nil {
		return d.fail
	}
	for _, key := range keys {
		if err := d.Delete(ctx, key, storage.Always()); err != nil {
			return err
		}
	}
	return nil
}

// DeleteAll deletes by pages where the driver can, and tells what has failed, and how many are surely gone.
func TestDeleteAllInBatches(t *testing.T) {
	t.Parallel()
	d := &batches{Driver: memory.New()}
	store := newStore(t, d, sessionstore.WithPageSize(2))
	for _, token := range []string{"a", "b", "c"} {
		commit(t, store, token, "data")
	}
	d.fail = storage.ErrThrottled
	if n, err := store.DeleteAll(t.Context()); n != 0 || !errors.Is(err, storage.ErrThrottled) || d.live(t) != 3 {
		t.Errorf("%d, %v; want ErrThrottled", n, err)
	}
	d.fail, d.batches = nil, 0
	if n, err := store.DeleteAll(t.Context()); n != 3 || err != nil || d.live(t) != 0 || d.batches != 2 {
		t.Errorf("%d, %v, in %d batches; want 3 in 2", n, err, d.batches)
	}
}

func (d *batches) live(t *testing.T) int { return len(sessionsOf(t, d.Driver)) }

// A session whose move to another secret was cut short is deleted where it arrives, and not counted where it has left.
func TestDeleteAllWhileASessionMoves(t *testing.T) {
	t.Parallel()
	driver := newHooked()
	older, newer := storetest.Secret(1), storetest.Secret(2)
	token := newVisitor(t, driver, sessionstore.WithSecret(older)).begin(map[string]any{"cart": 1})
	store := newStore(t, driver, sessionstore.WithSecret(newer, older))
	next := records(t, driver.Driver)[0]
	from := next.Key
	next.Key = store.StorageKey(token)
	arrival := ended.Arrival(next, from)
	for _, record := range []storage.Record{arrival, ended.Departure(from, arrival, time.Now())} {
		if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := store.DeleteAll(t.Context()); n != 1 || err != nil {
		t.Errorf("%d, %v; want 1", n, err)
	}
	for _, record := range records(t, driver.Driver) {
		if record.Key == next.Key {
			t.Errorf("the arrival is left: %+v", record)
		}
	}
}
