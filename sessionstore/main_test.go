package sessionstore_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // what is to be logged is tested with a logger
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup"))
}

// newStore returns a store over a driver, in memory where that is nil.
func newStore(t testing.TB, driver storage.Driver, options ...sessionstore.Option) *sessionstore.Store {
	t.Helper()
	if driver == nil {
		driver = memory.New()
	}
	store, err := sessionstore.New(driver, options...)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func inAnHour() time.Time { return time.Now().Add(time.Hour) }

func commit(t testing.TB, store *sessionstore.Store, token, data string) {
	t.Helper()
	if err := store.CommitCtx(t.Context(), token, []byte(data), inAnHour()); err != nil {
		t.Fatal(err)
	}
}

// wantData fails the test unless the session holds the data.
func wantData(t testing.TB, store *sessionstore.Store, token, want string) {
	t.Helper()
	data, found, err := store.FindCtx(t.Context(), token)
	if err != nil || !found || string(data) != want {
		t.Errorf("found %v, %q, %v; want %q", found, data, err, want)
	}
}

// wantMiss fails the test unless there is no session.
func wantMiss(t testing.TB, store *sessionstore.Store, token string) {
	t.Helper()
	if _, found, err := store.FindCtx(t.Context(), token); err != nil || found {
		t.Errorf("found %v, %v; want a miss", found, err)
	}
}

// sessionsOf returns what a driver holds of sessions that have not ended.
func sessionsOf(t testing.TB, driver storage.Driver) []storage.Record {
	t.Helper()
	return slices.DeleteFunc(records(t, driver), storage.Record.Ended)
}

// records returns all that a driver holds.
func records(t testing.TB, driver storage.Driver) []storage.Record {
	t.Helper()
	page, err := driver.Scan(t.Context(), storage.ScanRequest{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return page.Records
}
