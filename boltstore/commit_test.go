package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// busy keeps the file's only writer, so that writes queue up, until free is called. One write, the first, is already
// past the queue then.
func busy(t *testing.T, driver *boltstore.Driver) (free func()) {
	t.Helper()
	tx, err := driver.Bolt().Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() { _ = tx.Rollback() })
}

// transactions returns how many write transactions the file has seen.
func transactions(t *testing.T, driver *boltstore.Driver) (id int) {
	t.Helper()
	if err := driver.Bolt().View(func(tx *bolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

// queueUp starts a write that waits for the file, and then the others behind it in the queue. The result of each write
// is in the map once wait returns.
func queueUp(t *testing.T, driver *boltstore.Driver,
	writes map[string]func() error,
) (results map[string]error, wait func()) {
	t.Helper()
	free := busy(t, driver)
	defer free()
	results = map[string]error{}
	var (
		mu    sync.Mutex
		group sync.WaitGroup
	)
	run := func(name string, write func() error) {
		group.Go(func() {
			err := errors.New("the write panicked")
			defer func() {
				_ = recover() // That is the result.
				mu.Lock()
				defer mu.Unlock()
				results[name] = err
			}()
			err = write()
		})
	}
	started := make(chan struct{})
	run("first", func() error {
		close(started)
		return driver.Put(t.Context(), record("first", "data"), storage.Always())
	})
	<-started
	for driver.Leading() == 0 || driver.Queued() > 0 {
		runtime.Gosched()
	}
	for name, write := range writes {
		run(name, write)
	}
	for driver.Queued() < len(writes) {
		runtime.Gosched()
	}
	return results, group.Wait
}

// TestWritesShareTransaction queues writes of which some fail. The others must not, and all of them wait for the disk
// once.
func TestWritesShareTransaction(t *testing.T) {
	t.Parallel()
	driver := open(t)
	ctx := t.Context()
	put(t, driver, record("there", "data"))
	before := transactions(t, driver)
	writes := map[string]func() error{
		"conflict": func() error {
			return driver.Put(ctx, record("there", "other"), storage.IfAbsent(record("", "").UpdatedAt))
		},
		"missing": func() error { return driver.Update(ctx, "missing", storage.Change{}, storage.Always()) },
		"too large": func() error {
			r := record("large", "")
			r.Data = make([]byte, boltstore.MaxRecord)
			return driver.Put(ctx, r, storage.Always())
		},
	}
	const good = 20
	for i := range good {
		name := fmt.Sprint("good ", i)
		writes[name] = func() error { return driver.Put(ctx, record(name, "data"), storage.Always()) }
	}
	results, wait := queueUp(t, driver, writes)
	wait()
	for name, want := range map[string]error{
		"conflict": storage.ErrConflict, "missing": storage.ErrConflict, "too large": storage.ErrTooLarge,
	} {
		if !errors.Is(results[name], want) {
			t.Errorf("%s: %v does not match %v", name, results[name], want)
		}
		delete(results, name)
	}
	for name, err := range results {
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		get(t, driver, name)
	}
	// One for the first, and two for the rest: a payload that is large makes a transaction of its own.
	if n := transactions(t, driver) - before; n > 3 {
		t.Errorf("%d writes took %d transactions", len(writes)+1, n)
	}
}

// TestConflictsCostNoTransaction counts the transactions of writes that change nothing.
func TestConflictsCostNoTransaction(t *testing.T) {
	t.Parallel()
	driver := open(t)
	ctx := t.Context()
	put(t, driver, record("key", "data"))
	before := transactions(t, driver)
	_, acquireErr := driver.Acquire(ctx, "key", storage.Lease{ID: "lease"},
		storage.IfVersion("other", record("", "").UpdatedAt))
	for operation, err := range map[string]error{
		"Acquire": acquireErr,
		"Put":     driver.Put(ctx, record("key", "other"), storage.IfVersion("other", record("", "").UpdatedAt)),
		"Update":  driver.Update(ctx, "key", storage.Change{Lease: &storage.Lease{}}, storage.IfLease("other")),
		"Delete":  driver.Delete(ctx, "key", storage.IfVersion("other", record("", "").UpdatedAt)),
	} {
		if !errors.Is(err, storage.ErrConflict) {
			t.Errorf("%s: %v", operation, err)
		}
	}
	if err := driver.Delete(ctx, "missing", storage.Always()); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if after := transactions(t, driver); after != before {
		t.Errorf("they took %d transactions", after-before)
	}
}

// TestCancelledInQueue cancels a write that waits for its turn. It must return while the file is still busy, and must
// never be done.
func TestCancelledInQueue(t *testing.T) {
	t.Parallel()
	driver := open(t)
	free := busy(t, driver)
	defer free()
	first := make(chan error, 1)
	go func() { first <- driver.Put(t.Context(), record("first", "data"), storage.Always()) }()
	for driver.Leading() == 0 {
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() { second <- driver.Put(ctx, record("second", "data"), storage.Always()) }()
	for driver.Queued() == 0 {
		runtime.Gosched()
	}
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled write: %v", err)
	}
	free()
	if err := <-first; err != nil {
		t.Errorf("the write before it: %v", err)
	}
	put(t, driver, record("third", "data"))
	absent(t, driver, "second")
}

// TestCancelledInTransaction cancels writes while they are being committed. They must report what came of them:
// success.
func TestCancelledInTransaction(t *testing.T) {
	t.Parallel()
	driver := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	driver.SetCommit(func(tx *bolt.Tx) error {
		if tx.Bucket([]byte("sessions")).Get([]byte("one")) != nil {
			cancel()
			for range 100 {
				runtime.Gosched() // So that the other write notices.
			}
		}
		return tx.Commit()
	})
	results, wait := queueUp(t, driver, map[string]func() error{
		"one": func() error { return driver.Put(ctx, record("one", "data"), storage.Always()) },
		"two": func() error { return driver.Put(ctx, record("two", "data"), storage.Always()) },
	})
	wait()
	for name, err := range results {
		if err != nil {
			t.Errorf("%s: %v, although it was committed", name, err)
		}
		get(t, driver, name)
	}
}

// TestFailedCommit makes the end of a transaction fail, before and after others can see it.
func TestFailedCommit(t *testing.T) {
	t.Parallel()
	cause := errors.New("the disk is full")
	t.Run("NothingWritten", func(t *testing.T) {
		t.Parallel()
		driver := open(t)
		driver.SetCommit(func(*bolt.Tx) error { return cause })
		err := driver.Put(t.Context(), record("key", "data"), storage.Always())
		if !errors.Is(err, cause) || errors.Is(err, storage.ErrOutcomeUnknown) {
			t.Errorf("%v", err)
		}
		absent(t, driver, "key")
	})
	t.Run("Visible", func(t *testing.T) {
		t.Parallel()
		driver := open(t)
		driver.SetCommit(func(tx *bolt.Tx) error { return errors.Join(tx.Commit(), cause) })
		err := driver.Put(t.Context(), record("key", "data"), storage.Always())
		if !errors.Is(err, cause) || !errors.Is(err, storage.ErrOutcomeUnknown) {
			t.Errorf("%v", err)
		}
	})
	t.Run("OnlyTogether", func(t *testing.T) {
		t.Parallel()
		driver := open(t)
		refuse := record("too much", "data")
		driver.SetCommit(func(tx *bolt.Tx) error {
			if tx.Bucket([]byte("sessions")).Get([]byte(refuse.Key)) != nil {
				return cause
			}
			return tx.Commit()
		})
		results, wait := queueUp(t, driver, map[string]func() error{
			"refused": func() error { return driver.Put(t.Context(), refuse, storage.Always()) },
			"one":     func() error { return driver.Put(t.Context(), record("one", "data"), storage.Always()) },
			"two":     func() error { return driver.Put(t.Context(), record("two", "data"), storage.Always()) },
		})
		wait()
		if !errors.Is(results["refused"], cause) {
			t.Errorf("the write that does not fit: %v", results["refused"])
		}
		if results["one"] != nil || results["two"] != nil {
			t.Errorf("the others: %v, %v", results["one"], results["two"])
		}
		absent(t, driver, refuse.Key)
		get(t, driver, "one")
		get(t, driver, "two")
	})
	t.Run("Panic", func(t *testing.T) {
		t.Parallel()
		driver := open(t)
		driver.SetCommit(func(tx *bolt.Tx) error {
			if tx.Bucket([]byte("sessions")).Get([]byte("one")) != nil {
				panic("a damaged page")
			}
			return tx.Commit()
		})
		results, wait := queueUp(t, driver, map[string]func() error{
			"one": func() error { return driver.Put(t.Context(), record("one", "data"), storage.Always()) },
			"two": func() error { return driver.Put(t.Context(), record("two", "data"), storage.Always()) },
		})
		wait()
		if results["one"] == nil || results["two"] == nil {
			t.Errorf("a write that was not done was acknowledged: %v, %v", results["one"], results["two"])
		}
		absent(t, driver, "one")
		absent(t, driver, "two")
		put(t, driver, record("three", "data"))
	})
}

// TestNoRoom lets the engine fail as a full disk, a quota and a read-only file system make it. Nothing is written, and
// once it is over, the same write succeeds.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cause syscall.Errno
		want  error
		later bool
	}{
		{syscall.ENOSPC, boltstore.ErrFull, true},
		{syscall.EDQUOT, boltstore.ErrFull, true},
		{syscall.EROFS, boltstore.ErrReadOnly, false},
		{syscall.EIO, syscall.EIO, false},
	} {
		driver := open(t)
		path := driver.Bolt().Path()
		put(t, driver, record("there", "data"))
		driver.SetCommit(func(*bolt.Tx) error { return &fs.PathError{Op: "write", Path: path, Err: c.cause} })
		for operation, err := range writeErrors(t.Context(), driver) {
			if !errors.Is(err, c.want) || !errors.Is(err, c.cause) || !strings.Contains(err.Error(), path) ||
				errors.Is(err, storage.ErrUnavailable) != c.later || errors.Is(err, storage.ErrOutcomeUnknown) {
				t.Errorf("%s, %s: %v; want %v with the file's name, ErrUnavailable %v", operation, c.cause, err, c.want, c.later)
			}
		}
		get(t, driver, "there")
		absent(t, driver, "new")
		absent(t, driver, "moved")
		driver.SetCommit((*bolt.Tx).Commit)
		put(t, driver, record("new", "data"))
	}
}

// TestClosed shows that a closed driver says so, and knows that it wrote nothing.
func TestClosed(t *testing.T) {
	t.Parallel()
	driver := open(t)
	if err := driver.Close(); err != nil {
		t.Fatal(err)
	}
	results := writeErrors(t.Context(), driver)
	_, _, results["Get"] = driver.Get(t.Context(), "there", storage.Strong)
	_, results["Scan"] = driver.Scan(t.Context(), storage.ScanRequest{})
	for operation, err := range results {
		if !errors.Is(err, boltstore.ErrClosed) || errors.Is(err, storage.ErrOutcomeUnknown) ||
			errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s: %v; want ErrClosed alone", operation, err)
		}
	}
}

// writeErrors does each write once, all of them possible on a record under the key "there".
func writeErrors(ctx context.Context, driver *boltstore.Driver) map[string]error {
	_, acquired := driver.Acquire(ctx, "there", storage.Lease{ID: "lease"}, storage.IfLive(record("", "").UpdatedAt))
	return map[string]error{
		"Acquire":     acquired,
		"Put":         driver.Put(ctx, record("new", "data"), storage.Always()),
		"Update":      driver.Update(ctx, "there", storage.Change{UpdatedAt: record("", "").UpdatedAt}, storage.Always()),
		"Delete":      driver.Delete(ctx, "there", storage.Always()),
		"DeleteBatch": driver.DeleteBatch(ctx, []string{"there"}),
	}
}

// TestFullFile gives the file no more room. What is there stays readable and deletable.
func TestFullFile(t *testing.T) {
	t.Parallel()
	driver := open(t)
	old := record("key", "data")
	put(t, driver, old)
	driver.Bolt().MaxSize = 1 << 16
	big := record("key", "")
	big.Data = make([]byte, 1<<20)
	if err := driver.Put(t.Context(), big, storage.Always()); !errors.Is(err, boltstore.ErrFull) ||
		errors.Is(err, storage.ErrOutcomeUnknown) {
		t.Errorf("Put into a full file: %v", err)
	}
	if seen := get(t, driver, "key"); seen.Version != old.Version {
		t.Error("another version is stored")
	}
	if err := driver.Delete(t.Context(), "key", storage.Always()); err != nil {
		t.Errorf("Delete: %v", err)
	}
	absent(t, driver, "key")
	driver.Bolt().MaxSize = 0
	put(t, driver, big)
}
