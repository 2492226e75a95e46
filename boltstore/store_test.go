package boltstore_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

func TestStoreConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Capabilities{}, func(t *testing.T) storetest.Backend {
		t.Helper()
		return storetest.Backend{Driver: open(t)}
	})
}

// Iteration holds one page, however many sessions there are.
func TestSessionsHoldOnePage(t *testing.T) {
	// Not parallel: other tests would be measured with it.
	const sessions, writers, limit = 80_000, 256, 40 << 20
	driver := openFile(t, filepath.Join(t.TempDir(), "sessions.db"))
	data := make([]byte, 1024)
	var wait sync.WaitGroup
	errs := make(chan error, writers)
	for writer := range writers { // many at a time share one wait for the disk
		wait.Go(func() {
			for i := writer; i < sessions; i += writers {
				r := record(fmt.Sprintf("session-%06d", i), string(data))
				if err := driver.Put(t.Context(), r, storage.Always()); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(errs)
	for err := range errs {
		t.Fatal(err)
	}
	store, err := sessionstore.New(driver)
	if err != nil {
		t.Fatal(err)
	}
	// The set of tokens that the test itself keeps is part of what is measured.
	grown := storetest.Iterate(t, store, sessions)
	t.Logf("%d sessions of 1 KB: the heap grew by %d MiB at most", sessions, grown>>20)
	if grown > limit {
		t.Errorf("the heap grew by %d MiB; at most %d MiB are allowed", grown>>20, limit>>20)
	}
}
