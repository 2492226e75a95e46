// Package storetest runs the conformance suite on the project's own store, over any driver, with every strategy, with
// and without a secret. It is for tests only.
package storetest

import (
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
	"github.com/scsdynamo/scsdynamo/conformance/strategytest"
	"github.com/scsdynamo/scsdynamo/internal/tap"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Backend is one place to keep sessions, empty, and what can be done to it.
type Backend struct {
	// Driver is what the store under test works with.
	Driver storage.Driver
	// Peer is a second driver on the same place. Nil means that Driver serves both.
	Peer storage.Driver
	// Inject makes the place fail; see conformance.WithFault. Nil means that calls of Driver fail, and never reach it.
	Inject func(t *testing.T, fault conformance.Fault) (repair func())
	// Foreign puts records into the place that the driver did not write and that are not under its prefix, and returns
	// their storage keys.
	Foreign func(t *testing.T) (keys []string)
	// Corrupt are ways to damage the record under a storage key.
	Corrupt []func(t *testing.T, key string)
}

// Secret is a secret for tests.
func Secret(n byte) []byte {
	secret := sha256.Sum256([]byte{n})
	return secret[:]
}

// strategies are the lock strategies that the suites are run with. Leases are short: the suites let requests die that
// hold one.
var strategies = map[string]func() lockstrategy.Strategy{
	"none":       lockstrategy.None,
	"optimistic": lockstrategy.Optimistic,
	"merge":      func() lockstrategy.Strategy { return lockstrategy.Merge(nil) },
	"lease": func() lockstrategy.Strategy {
		return lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: time.Second})
	},
}

// takeOver is how long a request that died may keep others waiting, with much room for a busy machine.
const takeOver = 10 * time.Second

// Capabilities says which fields the backends of a run have.
type Capabilities struct {
	// Corruptions is the number of Backend.Corrupt.
	Corruptions int
	// Foreign is whether there is Backend.Foreign.
	Foreign bool
}

// RunStrategies runs the suite for lock strategies on each of them, over drivers that newDriver makes.
func RunStrategies(t *testing.T, newDriver func(t *testing.T) storage.Driver) {
	t.Helper()
	for name, strategy := range strategies {
		options := strategytest.Options{NewDriver: newDriver, LastWriteWins: name == "none"}
		if name == "lease" {
			options.TakeOverWithin = takeOver
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategytest.Run(t, func(*testing.T) lockstrategy.Strategy { return strategy() }, options)
		})
	}
}

// Run runs the suite for stores with each strategy, with and without a secret, over the backends that newBackend makes.
func Run(t *testing.T, has Capabilities, newBackend func(t *testing.T) Backend, options ...conformance.Option) {
	t.Helper()
	for name, strategy := range strategies {
		for _, secret := range []bool{false, true} {
			all := options
			if name != "none" {
				all = append(slices.Clip(all), conformance.WithNoLostUpdates(func(err error) bool {
					return errors.Is(err, storage.ErrConflict)
				}))
			}
			variant := name
			if secret {
				variant += "_secret"
			}
			t.Run(variant, func(t *testing.T) {
				t.Parallel()
				h := &harness{newBackend: newBackend, strategy: strategy, secret: secret}
				if name == "lease" {
					all = append(slices.Clip(all), conformance.WithLocking(takeOver, h.abandon))
				}
				conformance.Run(t, h.newStore, append(h.capabilities(has), all...)...)
			})
		}
	}
}

// harness remembers which store is on which backend.
type harness struct {
	newBackend func(t *testing.T) Backend
	strategy   func() lockstrategy.Strategy // each store is a process of its own
	secret     bool
	backends   sync.Map // of scs.Store to Backend
}

func (h *harness) newStore(t *testing.T) scs.Store {
	t.Helper()
	backend := h.newBackend(t)
	if backend.Inject == nil {
		faults := &faults{}
		backend.Driver, backend.Inject = &tap.Driver{Driver: backend.Driver, Around: faults.around}, faults.inject
	}
	return h.open(t, backend, backend.Driver, h.strategy())
}

func (h *harness) open(
	t *testing.T, backend Backend, driver storage.Driver, strategy lockstrategy.Strategy,
) *sessionstore.Store {
	t.Helper()
	options := []sessionstore.Option{
		sessionstore.WithStrategy(strategy),
		sessionstore.WithLogger(slog.New(slog.DiscardHandler)),
	}
	if h.secret {
		options = append(options, sessionstore.WithSecret(Secret(1), Secret(2)))
	}
	store, err := sessionstore.New(driver, options...)
	if err != nil {
		t.Fatal(err)
	}
	h.backends.Store(scs.Store(store), backend)
	return store
}

func (h *harness) backend(t *testing.T, store scs.Store) Backend {
	t.Helper()
	backend, ok := h.backends.Load(store)
	if !ok {
		t.Fatalf("a store that newStore did not make: %T", store)
	}
	return backend.(Backend)
}

// peer opens another store on the same place, as another process does.
func (h *harness) peer(t *testing.T, store scs.Store, strategy lockstrategy.Strategy) *sessionstore.Store {
	t.Helper()
	backend := h.backend(t, store)
	driver := backend.Peer
	if driver == nil {
		driver = backend.Driver
	}
	return h.open(t, backend, driver, strategy)
}

// abandon is a request of another process that is not heard of again before its lease is over.
func (h *harness) abandon(t *testing.T, store scs.Store, token string) (commit func([]byte, time.Time) error) {
	t.Helper()
	dead := h.peer(t, store, lockstrategy.Lease(lockstrategy.LeaseOptions{Duration: time.Second, Renewal: -1}))
	ctx, end := dead.Begin(t.Context())
	t.Cleanup(end)
	if _, found, err := dead.FindCtx(ctx, token); err != nil || !found {
		t.Fatalf("the request that is to die: found %t, %v", found, err)
	}
	return func(data []byte, expiry time.Time) error { return dead.CommitCtx(ctx, token, data, expiry) }
}

func (h *harness) capabilities(has Capabilities) []conformance.Option {
	options := []conformance.Option{
		conformance.WithSearchTime(50 * time.Millisecond), // There are many runs, which together search for long.
		conformance.WithTimeout(5 * time.Minute),          // Eight runs at once share an engine, and perhaps a busy machine.
		conformance.WithRequestScope(func(store scs.Store, sessions *scs.SessionManager) func(http.Handler) http.Handler {
			return store.(*sessionstore.Store).LoadAndSave(sessions)
		}),
		conformance.WithPeer(func(t *testing.T, store scs.Store) scs.Store {
			t.Helper()
			return h.peer(t, store, h.strategy())
		}),
		conformance.WithCollect(h.collect, h.stored),
		conformance.WithFault(func(t *testing.T, store scs.Store, fault conformance.Fault) func() {
			t.Helper()
			return h.backend(t, store).Inject(t, fault)
		}),
	}
	if has.Foreign {
		options = append(options, conformance.WithForeignData(func(t *testing.T, store scs.Store) []string {
			t.Helper()
			return h.backend(t, store).Foreign(t)
		}))
	}
	for i := range has.Corruptions {
		options = append(options, conformance.WithCorruption(func(t *testing.T, store scs.Store, token string) {
			t.Helper()
			h.backend(t, store).Corrupt[i](t, storageKey(store, token))
		}))
	}
	return options
}

func (h *harness) keys(t *testing.T, store scs.Store) []storage.Record {
	t.Helper()
	scanner := h.backend(t, store).Driver
	var records []storage.Record
	request := storage.ScanRequest{WithoutData: true}
	for {
		page, err := scanner.Scan(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, page.Records...)
		if page.Next == "" {
			return records
		}
		request.Start = page.Next
	}
}

// collect is a collector in its shortest form: it deletes what was expired when it was read, if it still is.
func (h *harness) collect(t *testing.T, store scs.Store) {
	t.Helper()
	now := time.Now()
	for _, record := range h.keys(t, store) {
		if !record.Expired(now) {
			continue
		}
		if err := h.backend(t, store).Driver.Delete(t.Context(), record.Key, storage.IfUnchanged(record)); err != nil {
			t.Logf("collect: %v", err) // renewed meanwhile
		}
	}
}

func (h *harness) stored(t *testing.T, store scs.Store, token string) bool {
	t.Helper()
	_, found, err := h.backend(t, store).Driver.Get(t.Context(), storageKey(store, token), storage.Strong)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func storageKey(store scs.Store, token string) string {
	return store.(*sessionstore.Store).StorageKey(token)
}

// NewManager returns a session manager on the store. It does without scs.New, which starts a goroutine for the store in
// memory that is replaced at once.
func NewManager(store scs.Store) *scs.SessionManager {
	return &scs.SessionManager{
		Lifetime:  time.Hour,
		Store:     store,
		Codec:     scs.GobCodec{},
		ErrorFunc: sessionstore.HandleError,
		Cookie: scs.SessionCookie{
			Name: "session", Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode, Persist: true,
		},
	}
}
