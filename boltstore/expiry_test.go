package boltstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// testClock is a clock that stands until it is moved.
type testClock struct{ nanos atomic.Int64 }

func newTestClock() *testClock {
	c := &testClock{}
	c.nanos.Store(time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *testClock) now() time.Time           { return time.Unix(0, c.nanos.Load()) }
func (c *testClock) advance(by time.Duration) { c.nanos.Add(int64(by)) }

// brief returns a record that lives for a minute of the clock.
func (c *testClock) brief(key string) storage.Record {
	now := c.now()
	return storage.Record{
		Key: key, Data: []byte(strings.Repeat("d", 500)), Version: storage.NewVersion(),
		CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(time.Minute),
	}
}

// TestFileDoesNotGrowForEver commits 50,000 sessions that live for a minute, ten in each second. At any time, 1,200 are
// live or within the grace; all of them together would take more than 40 MB.
func TestFileDoesNotGrowForEver(t *testing.T) {
	t.Parallel()
	const (
		sessions = 25_000
		writers  = 32
		mostSize = 8 << 20
		most     = 1200 + 2*writers + 50
	)
	clock := newTestClock()
	path := filepath.Join(t.TempDir(), "sessions.db")
	driver := openFile(t, path, boltstore.WithClock(clock.now))
	var group sync.WaitGroup
	var next atomic.Int64
	for range writers {
		group.Go(func() {
			for n := next.Add(1); n <= sessions; n = next.Add(1) {
				clock.advance(100 * time.Millisecond)
				if err := driver.Put(t.Context(), clock.brief(fmt.Sprint("session ", n)), storage.Always()); err != nil {
					t.Errorf("Put: %v", err)
					return
				}
			}
		})
	}
	group.Wait()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	records, entries, err := driver.Count()
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > mostSize || records > most || entries != records {
		t.Errorf("after %d sessions: %d bytes, %d records, %d index entries", sessions, info.Size(), records, entries)
	}
	t.Logf("after %d sessions: %d bytes, %d records", sessions, info.Size(), records)
}

// TestBacklogIsWorkedOff leaves a file alone until everything in it has expired. Later writes remove it bit by bit.
func TestBacklogIsWorkedOff(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	driver := open(t, boltstore.WithClock(clock.now))
	const backlog = 150
	for n := range backlog {
		put(t, driver, clock.brief(fmt.Sprint("old ", n)))
	}
	clock.advance(24 * time.Hour)
	for n := range backlog / 10 {
		before, _, err := driver.Count()
		if err != nil {
			t.Fatal(err)
		}
		put(t, driver, clock.brief(fmt.Sprint("new ", n)))
		after, _, err := driver.Count()
		if err != nil {
			t.Fatal(err)
		}
		if removed := before + 1 - after; removed > 16 {
			t.Errorf("one write removed %d records; its caller waits for them", removed)
		}
	}
	if records, _, err := driver.Count(); err != nil || records != backlog/10 {
		t.Errorf("%d records are left, error %v; %d are live", records, err, backlog/10)
	}
	if err := driver.CheckIndex(); err != nil {
		t.Error(err)
	}
}

// TestI7_SweepSparesLiveAndRenewed checks what is removed, and when: not before expiry and grace are over, and never
// what was renewed.
func TestI7_SweepSparesLiveAndRenewed(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	driver := open(t, boltstore.WithClock(clock.now), boltstore.WithGrace(10*time.Second))
	write := func() { put(t, driver, clock.brief("any")) }

	old, touched, committed := clock.brief("old"), clock.brief("touched"), clock.brief("committed")
	for _, r := range []storage.Record{old, touched, committed} {
		put(t, driver, r)
	}
	clock.advance(50 * time.Second)
	later := clock.now().Add(time.Hour)
	if err := driver.Update(t.Context(), "touched", storage.Change{ExpiresAt: later}, storage.Always()); err != nil {
		t.Fatal(err)
	}
	committed.Version, committed.ExpiresAt = storage.NewVersion(), later
	put(t, driver, committed)

	clock.advance(20 * time.Second) // At the end of its minute and of its grace, and not after it.
	write()
	get(t, driver, "old")
	clock.advance(1)
	write()
	absent(t, driver, "old")
	get(t, driver, "touched")
	get(t, driver, "committed")

	shortened := clock.now().Add(time.Second) // An expiry moved forward counts as well.
	if err := driver.Update(t.Context(), "touched", storage.Change{ExpiresAt: shortened}, storage.Always()); err != nil {
		t.Fatal(err)
	}
	clock.advance(12 * time.Second)
	write()
	absent(t, driver, "touched")
	get(t, driver, "committed")
	if err := driver.CheckIndex(); err != nil {
		t.Error(err)
	}
}

// TestIndexFollowsEveryWrite does random writes and compares the index with the records.
func TestIndexFollowsEveryWrite(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	driver := open(t, boltstore.WithClock(clock.now))
	ctx := t.Context()
	key := func() string { return fmt.Sprint("key ", rand.IntN(12)) }
	for range 600 {
		clock.advance(500 * time.Millisecond)
		var err error
		r := clock.brief(key())
		switch rand.IntN(4) {
		case 0:
			err = driver.Put(ctx, r, storage.IfAbsent(clock.now()))
		case 1:
			err = driver.Put(ctx, r, storage.Always())
		case 2:
			err = driver.Update(ctx, key(), storage.Change{ExpiresAt: r.ExpiresAt}, storage.IfLive(clock.now()))
		case 3:
			err = driver.Delete(ctx, key(), storage.Always())
		}
		if err != nil && !errors.Is(err, storage.ErrConflict) {
			t.Fatal(err)
		}
		if err := driver.CheckIndex(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnreadableRecord damages a stored record. It must be reported, must not be overwritten unseen, and must give way
// to a Put or Delete that asks for no condition.
func TestUnreadableRecord(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	driver := open(t, boltstore.WithClock(clock.now))
	ctx := t.Context()
	damage := func(key string) {
		t.Helper()
		put(t, driver, clock.brief(key))
		if err := driver.Damage(key, []byte("\x01damaged")); err != nil {
			t.Fatal(err)
		}
	}
	damage("key")
	r := clock.brief("key")
	_, _, getErr := driver.Get(ctx, "key", storage.Strong)
	for operation, err := range map[string]error{
		"Get":    getErr,
		"Put":    driver.Put(ctx, r, storage.IfAbsent(clock.now())),
		"Update": driver.Update(ctx, "key", storage.Change{}, storage.Always()),
		"Delete": driver.Delete(ctx, "key", storage.IfLive(clock.now())),
	} {
		var corrupt *storage.CorruptError
		if !errors.As(err, &corrupt) {
			t.Errorf("%s: %v is no *storage.CorruptError", operation, err)
		}
	}
	page, err := driver.Scan(ctx, storage.ScanRequest{})
	if err != nil || len(page.Unreadable) != 1 || !errors.Is(page.Unreadable[0].Err, storage.ErrCorrupt) {
		t.Errorf("Scan: error %v, unreadable: %v", err, page.Unreadable)
	}

	// Overwritten, its old index entry stays, and must not take the new record with it when it is due.
	clock.advance(30 * time.Second)
	put(t, driver, clock.brief("key"))
	clock.advance(95 * time.Second)
	put(t, driver, clock.brief("any"))
	get(t, driver, "key")

	damage("deleted")
	if err := driver.Delete(ctx, "deleted", storage.Always()); err != nil {
		t.Errorf("Delete: %v", err)
	}
	absent(t, driver, "deleted")

	// What nobody overwrites or deletes goes when its index entry is due.
	damage("abandoned")
	clock.advance(time.Hour)
	put(t, driver, clock.brief("any"))
	absent(t, driver, "abandoned")
	if err := driver.CheckIndex(); err != nil {
		t.Error(err)
	}
}
