// Package storetest runs the conformance suite on the project's own store, over any driver, with every strategy, with and
// without a secret. It is for tests only.
package storetest

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
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
	secret := make([]byte, sessionstore.MinSecretBytes)
	for i := range secret {
		secret[i] = n + byte(i)
	}
	return secret
}

// strategies are the lock strategies that the suite is run with, each with and without a secret. Leases are short: the
// suite lets requests die that hold one.
var strategies = map[string]func() lockstrategy.Strategy{
	"none":       lockstrategy.None,
	"optimistic": lockstrategy.Optimistic,
	"merge":      func() lockstrategy.Strategy { return lockstrategy.Merge() },
	"lease":      func() lockstrategy.Strategy { return lockstrategy.Lease(lockstrategy.WithDuration(time.Second)) },
}

// Capabilities says which fields the backends of a run have.
type Capabilities struct {
	// Corruptions is the number of Backend.Corrupt.
	Corruptions int
	// Foreign is whether there is Backend.Foreign.
	Foreign bool
}

// Run runs the suite on stores over the backends that newBackend makes.
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
		faulty := &faultyDriver{inner: backend.Driver}
		backend.Driver, backend.Inject = faulty.wrap(), faulty.inject
	}
	return h.open(t, backend, backend.Driver)
}

func (h *harness) open(t *testing.T, backend Backend, driver storage.Driver) scs.Store {
	t.Helper()
	options := []sessionstore.Option{sessionstore.WithStrategy(h.strategy()), sessionstore.WithLogger(slog.New(slog.DiscardHandler))}
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

func (h *harness) capabilities(has Capabilities) []conformance.Option {
	options := []conformance.Option{
		conformance.WithRequestScope(func(store scs.Store, sessions *scs.SessionManager) func(http.Handler) http.Handler {
			return store.(*sessionstore.Store).LoadAndSave(sessions)
		}),
		conformance.WithPeer(func(t *testing.T, store scs.Store) scs.Store {
			t.Helper()
			backend := h.backend(t, store)
			driver := backend.Peer
			if driver == nil {
				driver = backend.Driver
			}
			return h.open(t, backend, driver)
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
	scanner := h.backend(t, store).Driver.(storage.Scanner)
	var records []storage.Record
	request := storage.ScanRequest{Fields: storage.WithoutData}
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
		condition := storage.IfVersionExpiresBefore(record.Version, now)
		if err := h.backend(t, store).Driver.Delete(t.Context(), record.Key, condition); err != nil {
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
