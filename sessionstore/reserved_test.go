package sessionstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// What is kept beside the sessions is a session for nobody: with a secret and without.
func TestReservedRecordsAreNoSessions(t *testing.T) {
	t.Parallel()
	const reserved = storage.ReservedPrefix + "something"
	for name, options := range map[string][]sessionstore.Option{
		"without a secret": {sessionstore.WithPageSize(1)},
		"with a secret":    {sessionstore.WithPageSize(1), sessionstore.WithSecret(storetest.Secret(1))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, driver := t.Context(), memory.New()
			record := storage.Record{
				Key: reserved, Data: []byte("data"), Version: storage.NewVersion(),
				UpdatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
			}
			if err := driver.Put(ctx, record, storage.Always()); err != nil {
				t.Fatal(err)
			}
			store, err := sessionstore.New(driver, options...)
			if err != nil {
				t.Fatal(err)
			}
			if err := store.CommitCtx(ctx, "token", []byte("session"), time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if _, found, err := store.FindCtx(ctx, reserved); found || err != nil {
				t.Errorf("Find: %v, %v", found, err)
			}
			if _, found, err := store.Lookup(ctx, reserved); found || err != nil {
				t.Errorf("Lookup: %v, %v", found, err)
			}
			if err := store.CommitCtx(ctx, reserved, nil,
				time.Now().Add(time.Hour)); !errors.Is(err, sessionstore.ErrInvalidToken) {
				t.Errorf("Commit: %v; want ErrInvalidToken", err)
			}
			if err := store.DeleteCtx(ctx, reserved); err != nil {
				t.Errorf("Delete: %v", err)
			}
			if all, err := store.AllCtx(ctx); err != nil || len(all) != 1 || string(all["token"]) != "session" {
				t.Errorf("All: %d sessions, %v; want one", len(all), err)
			}
			if n, err := store.DeleteAll(ctx); err != nil || n != 1 {
				t.Errorf("DeleteAll: %d, %v; want one", n, err)
			}
			if got, found, err := driver.Get(ctx, reserved, storage.Strong); err != nil || !found ||
				got.Version != record.Version {
				t.Errorf("after all that the record is there: %v, %v", found, err)
			}
		})
	}
}

// What a collector keeps beside the sessions is none of them, also where it cannot be read.
func TestUnreadableReservedRecordsAreNoSessions(t *testing.T) {
	t.Parallel()
	driver := &damagedCollector{memory.New()}
	store := newStore(t, driver)
	for _, err := range store.Sessions(t.Context()) {
		t.Errorf("there is a session: %v", err)
	}
	if n, err := store.DeleteAll(t.Context()); n != 0 || err != nil {
		t.Errorf("DeleteAll: %d, %v", n, err)
	}
}

// damagedCollector is a driver on which nothing is but a record of a collector that cannot be read.
type damagedCollector struct{ *memory.Driver }

func (damagedCollector) Scan(context.Context, storage.ScanRequest) (storage.Page, error) {
	return storage.Page{Unreadable: []storage.Unreadable{{
		Key: storage.ReservedPrefix + "collector", Err: &storage.CorruptError{Part: "version", Problem: "is missing"},
	}}}, nil
}
