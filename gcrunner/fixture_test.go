package gcrunner_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// session returns a session that is as old as said, was written as long ago, and has so much life left.
func session(key string, age, stale, left time.Duration) storage.Record {
	now := time.Now()
	return storage.Record{
		Key: key, Data: []byte("data"), Version: storage.NewVersion(),
		CreatedAt: now.Add(-age), UpdatedAt: now.Add(-stale), ExpiresAt: now.Add(left),
	}
}

// expired returns a session that has been expired for a minute, live one that has an hour left.
func expired(key string) storage.Record { return session(key, time.Hour, time.Hour, -time.Minute) }
func live(key string) storage.Record    { return session(key, time.Minute, time.Minute, time.Hour) }

// put stores records.
func put(t testing.TB, driver storage.Driver, records ...storage.Record) {
	t.Helper()
	for _, record := range records {
		if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
			t.Fatal(err)
		}
	}
}

// fill stores n sessions, of which every so manieth is expired, and returns how many that are.
func fill(t testing.TB, driver storage.Driver, n, every int) int {
	t.Helper()
	dead := 0
	for i := range n {
		if i%every == 0 {
			put(t, driver, expired(fmt.Sprintf("%05d-dead", i)))
			dead++
		} else {
			put(t, driver, live(fmt.Sprintf("%05d-live", i)))
		}
	}
	return dead
}

// stored reports whether there is a record.
func stored(t testing.TB, driver storage.Driver, key string) bool {
	t.Helper()
	_, found, err := driver.Get(context.WithoutCancel(t.Context()), key, storage.Strong)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// keys returns all that is stored.
func keys(t testing.TB, driver storage.Driver) map[string]storage.Record {
	t.Helper()
	all := map[string]storage.Record{}
	for request := (storage.ScanRequest{}); ; {
		page, err := driver.Scan(context.WithoutCancel(t.Context()), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range page.Records {
			all[record.Key] = record
		}
		if page.Next == "" {
			return all
		}
		request.Start = page.Next
	}
}

// newCollector returns a collector of expired sessions, with the options if there are any.
func newCollector(t testing.TB, driver storage.Driver, options ...gcrunner.CollectorOptions) *gcrunner.Collector {
	t.Helper()
	return newCollectorBy(t, driver, gcrunner.Rules{Expired: true}, options...)
}

func newCollectorBy(
	t testing.TB, driver storage.Driver, rules gcrunner.Rules, options ...gcrunner.CollectorOptions,
) *gcrunner.Collector {
	t.Helper()
	collector, err := gcrunner.NewCollector(driver, rules, append(options, gcrunner.CollectorOptions{})[0])
	if err != nil {
		t.Fatal(err)
	}
	return collector
}

// run runs to the end.
func run(t testing.TB, collector *gcrunner.Collector) gcrunner.Report {
	t.Helper()
	report, err := collector.Run(t.Context())
	if err != nil {
		t.Fatalf("%v, after %+v", err, report)
	}
	return report
}

// deletes fails unless so many were deleted under the rules, and none under others.
func deletes(t testing.TB, report gcrunner.Report, want gcrunner.Deleted) {
	t.Helper()
	if report.Deleted != want {
		t.Errorf("deleted %+v; want %+v", report.Deleted, want)
	}
}

// notAPosition is what an error says of a text that is not a position, or of one for another source.
const notAPosition = "this is not the position of a run"

// parsePosition reads the text of a position.
func parsePosition(text string) (gcrunner.Position, error) {
	var p gcrunner.Position
	err := p.UnmarshalText([]byte(text))
	return p, err
}

// unready reports whether an error says why a runner is not ready.
func unready(err error) bool {
	var reason *gcrunner.NotReadyError
	return errors.As(err, &reason)
}

// between is the memory driver with a hook before each call, and with units: each record costs what is said.
type between struct {
	*memory.Driver
	readUnits, writeUnits float64
	throttled             int                               // attempts at each delete
	delay                 func() time.Duration              // of each answer; may be nil
	before                func(operation, key string) error // may be nil; one call at a time
	turn                  chan struct{}                     // not a mutex, for which the time of a bubble would not pass

	mu       sync.Mutex
	segments int // of the last request
	calls    map[string]int
	usages   []usage
}

// usage is what a call has consumed, and when.
type usage struct {
	at          time.Time
	read, write float64
}

func newBetween(options ...memory.Option) *between {
	return &between{Driver: memory.New(options...), calls: map[string]int{}, turn: make(chan struct{}, 1)}
}

func (d *between) call(operation, key string) error {
	d.mu.Lock()
	d.calls[operation]++
	d.mu.Unlock()
	if d.before == nil {
		return nil
	}
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	return d.before(operation, key)
}

func (d *between) called(operation string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[operation]
}

func (d *between) consume(ctx context.Context, read, write float64) {
	storage.MeterFrom(ctx).Add(storage.Usage{ReadUnits: read, WriteUnits: write})
	d.mu.Lock()
	d.usages = append(d.usages, usage{time.Now(), read, write})
	d.mu.Unlock()
	if d.delay != nil {
		<-time.After(d.delay())
	}
}

func (d *between) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	if err := d.call("Scan", ""); err != nil {
		return storage.Page{}, err
	}
	d.mu.Lock()
	d.segments = request.Segments
	d.mu.Unlock()
	if request.Limit == 0 && d.readUnits > 0 {
		request.Limit = max(1, int(128/d.readUnits)) // as the service ends a page
	}
	page, err := d.Driver.Scan(ctx, request)
	d.consume(ctx, d.readUnits*float64(len(page.Records)), 0)
	return page, err
}

func (d *between) ScanExpired(ctx context.Context, request storage.ExpiredRequest) (storage.ExpiredPage, error) {
	if err := d.call("ScanExpired", ""); err != nil {
		return storage.ExpiredPage{}, err
	}
	page, err := d.Driver.ScanExpired(ctx, request)
	d.consume(ctx, d.readUnits*float64(len(page.Entries)), 0)
	return page, err
}

func (d *between) Delete(ctx context.Context, key string, condition storage.Condition) error {
	if err := d.call("Delete", key); err != nil {
		return err
	}
	err := d.Driver.Delete(ctx, key, condition)
	if err == nil {
		storage.MeterFrom(ctx).Add(storage.Usage{Throttled: d.throttled})
		d.consume(ctx, 0, d.writeUnits)
	}
	return err
}
