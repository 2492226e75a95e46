package boltstore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/conformance/drivertest"
	"github.com/scsdynamo/scsdynamo/storage"
)

func TestDriver(t *testing.T) {
	t.Parallel()
	drivertest.Run(t, func(t *testing.T) storage.Driver { t.Helper(); return open(t) },
		drivertest.Options{TooLarge: boltstore.MaxRecord})
}

// TestDriverThatKeepsAll runs the suite on a driver that removes no expired record, so that all of them are compared.
func TestDriverThatKeepsAll(t *testing.T) {
	t.Parallel()
	drivertest.Run(t, func(t *testing.T) storage.Driver { t.Helper(); return open(t, boltstore.WithClock(neverClock)) },
		drivertest.Options{TooLarge: boltstore.MaxRecord})
}

// TestDriverThatRemovesAtOnce runs the suite on a driver that removes expired records without grace.
func TestDriverThatRemovesAtOnce(t *testing.T) {
	t.Parallel()
	drivertest.Run(t, func(t *testing.T) storage.Driver { t.Helper(); return open(t, boltstore.WithGrace(0)) },
		drivertest.Options{TooLarge: boltstore.MaxRecord})
}

func TestReopenKeepsData(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sessions.db")
	want := record("key", "data")
	want.Lease = storage.Lease{ID: "lease", Duration: 1, ExpiresAt: want.UpdatedAt}
	for range 3 {
		driver, err := boltstore.OpenDriver(path)
		if err != nil {
			t.Fatal(err)
		}
		put(t, driver, want)
		if err := driver.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		driver, err = boltstore.OpenDriver(path)
		if err != nil {
			t.Fatal(err)
		}
		seen := get(t, driver, "key")
		if seen.Version != want.Version || !bytes.Equal(seen.Data, want.Data) || seen.Lease != want.Lease ||
			!seen.ExpiresAt.Equal(want.ExpiresAt) {
			t.Errorf("the record is not what was put before the file was closed")
		}
		want.Version = storage.NewVersion()
		if err := driver.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
}

func TestCloseIsIdempotentAndFinal(t *testing.T) {
	t.Parallel()
	driver := open(t)
	put(t, driver, record("key", "data"))
	for range 3 {
		if err := driver.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	ctx := t.Context()
	_, _, getErr := driver.Get(ctx, "key", storage.Strong)
	_, acquireErr := driver.Acquire(ctx, "key", storage.Lease{ID: "lease"}, storage.Always())
	_, scanErr := driver.Scan(ctx, storage.ScanRequest{})
	_, writeErr := driver.WriteTo(&bytes.Buffer{})
	for operation, err := range map[string]error{
		"Get":     getErr,
		"Put":     driver.Put(ctx, record("key", "data"), storage.Always()),
		"Update":  driver.Update(ctx, "key", storage.Change{}, storage.Always()),
		"Acquire": acquireErr,
		"Delete":  driver.Delete(ctx, "key", storage.Always()),
		"Scan":    scanErr,
		"WriteTo": writeErr,
	} {
		if !errors.Is(err, boltstore.ErrClosed) {
			t.Errorf("%s after Close: %v, which does not match ErrClosed", operation, err)
		}
	}
}

func TestWriteToMakesBackup(t *testing.T) {
	t.Parallel()
	driver := open(t)
	before, after := record("before", "data"), record("after", "data")
	put(t, driver, before)
	path := filepath.Join(t.TempDir(), "backup.db")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := driver.WriteTo(file)
	if err != nil {
		t.Fatalf("WriteTo: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, driver, after)
	if info, err := os.Stat(path); err != nil || info.Size() != n {
		t.Errorf("WriteTo returned %d; the file: %v, %v", n, info, err)
	}
	backup := openFile(t, path)
	if seen := get(t, backup, before.Key); seen.Version != before.Version {
		t.Error("the backup has another version of the record")
	}
	absent(t, backup, after.Key)
}
