package dropin

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// world is where an application runs: on plain scs, or on our store.
type world struct {
	name    string
	options []sessionstore.Option // nil for plain scs
}

var plain = world{name: "scs"}

var merge = world{"merge", []sessionstore.Option{sessionstore.WithStrategy(lockstrategy.Merge(nil))}}

// ours are all worlds that must be like the plain one.
var ours = []world{
	merge,
	{"none", []sessionstore.Option{sessionstore.WithStrategy(lockstrategy.None())}},
	{"optimistic", []sessionstore.Option{sessionstore.WithStrategy(lockstrategy.Optimistic())}},
	{"lease", []sessionstore.Option{sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{}))}},
	{"secret", []sessionstore.Option{sessionstore.WithSecret(storetest.Secret(1))}},
}

// backend is a store and what makes it refuse. It counts what is stored.
type backend struct {
	store  scs.Store
	refuse atomic.Bool

	counting sync.Mutex
	stores   map[string]int // how often a session was stored, by its key
}

// newBackend returns a store of the world. touch is the touch interval, negative for the default.
func (w world) newBackend(t testing.TB, touch time.Duration) *backend {
	t.Helper()
	b := &backend{stores: map[string]int{}}
	if w.options == nil {
		b.store = refusingStore{memstore.NewWithCleanupInterval(0), b}
		return b
	}
	options := w.options
	if touch >= 0 {
		options = append([]sessionstore.Option{sessionstore.WithTouchInterval(touch)}, options...)
	}
	store, err := sessionstore.New(refusingDriver{memory.New(), b}, options...)
	if err != nil {
		t.Fatal(err)
	}
	b.store = store
	return b
}

// middleware is what the application wraps its handlers in.
func middleware(store scs.Store, sessions *scs.SessionManager) func(http.Handler) http.Handler {
	if store, ok := store.(*sessionstore.Store); ok {
		return store.LoadAndSave(sessions)
	}
	return sessions.LoadAndSave
}

// newManager returns a session manager on the store.
func newManager(store scs.Store) *scs.SessionManager {
	sessions := scs.New()
	sessions.Store = store
	return sessions
}

// write counts what was stored, or refuses it.
func (b *backend) write(key string, write func() error) error {
	if b.refuse.Load() {
		return fmt.Errorf("dropin: this commit is refused: %w", storage.ErrThrottled)
	}
	err := write()
	if err == nil {
		b.counting.Lock()
		defer b.counting.Unlock()
		b.stores[key]++
	}
	return err
}

// refusingStore is scs's store with commits that can be refused.
type refusingStore struct {
	*memstore.MemStore
	backend *backend
}

func (s refusingStore) Commit(token string, data []byte, expiry time.Time) error {
	return s.backend.write(token, func() error { return s.MemStore.Commit(token, data, expiry) })
}

// refusingDriver is our driver with commits that can be refused.
type refusingDriver struct {
	*memory.Driver
	backend *backend
}

func (d refusingDriver) Put(ctx context.Context, record storage.Record, condition storage.Condition) error {
	put := func() error { return d.Driver.Put(ctx, record, condition) }
	if record.Ended() { // a tombstone
		return put()
	}
	return d.backend.write(record.Key, put)
}

func (d refusingDriver) Update(ctx context.Context, key string, change storage.Change,
	condition storage.Condition,
) error {
	update := func() error { return d.Driver.Update(ctx, key, change, condition) }
	if change.ExpiresAt.IsZero() { // it is about a lease
		return update()
	}
	return d.backend.write(key, update)
}
