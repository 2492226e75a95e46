package gcrunner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// indexed is the memory driver with an index, which may tell of more than has expired.
type indexed struct {
	*memory.Driver
	scans  int
	behind []storage.ExpiryEntry // what its index believes to have expired, in the first shard
	before func(key string)      // each delete; may be nil
}

func newIndexed() *indexed { return &indexed{Driver: memory.New(memory.WithExpiryIndex(3))} }

func (d *indexed) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	d.scans++
	return d.Driver.Scan(ctx, request)
}

func (d *indexed) ScanExpired(ctx context.Context, request storage.ExpiredRequest) (storage.ExpiredPage, error) {
	page, err := d.Driver.ScanExpired(ctx, request)
	if request.Shard == 0 && page.Next == "" {
		page.Entries = append(page.Entries, d.behind...)
	}
	return page, err
}

func (d *indexed) Delete(ctx context.Context, key string, condition storage.Condition) error {
	if d.before != nil {
		d.before(key)
	}
	return d.Driver.Delete(ctx, key, condition)
}

// By an index, a run looks at what has expired, and at nothing else.
func TestIndexFindsExpiredAlone(t *testing.T) {
	t.Parallel()
	driver := newIndexed()
	dead := fill(t, driver, 1000, 10)
	put(t, driver, session("not quite", time.Hour, time.Hour, -30*time.Second))
	report := run(t, newCollectorBy(t, driver, gcrunner.Rules{Expired: true, Grace: 45 * time.Second},
		gcrunner.CollectorOptions{PageSize: 7}))
	deletes(t, report, gcrunner.Deleted{Expired: dead})
	if report.Source != gcrunner.SourceIndex || report.Scanned != dead || driver.scans != 0 {
		t.Errorf("by %q, %d were looked at, in %d scans; want the %d that have expired, by the index", report.Source,
			report.Scanned, driver.scans, dead)
	}
	if !stored(t, driver, "not quite") || report.Backlog() < 50*time.Second || report.Backlog() > 2*time.Minute {
		t.Errorf("the backlog is %v; a minute is right, and the grace counts", report.Backlog())
	}
	if left := len(keys(t, driver.Driver)); left != 1001-dead {
		t.Errorf("%d are left; want %d", left, 1001-dead)
	}
}

// What an index tells may be old: the condition of the delete knows better.
func TestI7_IndexThatIsBehind(t *testing.T) {
	t.Parallel()
	driver := newIndexed()
	put(t, driver, live("renewed"), expired("dead"))
	driver.behind = []storage.ExpiryEntry{
		{Key: "renewed", ExpiredBy: time.Now().Add(-time.Hour)}, {Key: "gone", ExpiredBy: time.Now().Add(-time.Hour)},
	}
	report := run(t, newCollector(t, driver))
	deletes(t, report, gcrunner.Deleted{Expired: 2}) // what is gone was deleted by somebody
	if !stored(t, driver, "renewed") || report.Conflicts != 1 {
		t.Errorf("%d conflicts; a session that was renewed must stay, and count as one", report.Conflicts)
	}
}

// A session that is renewed, or committed anew, after the index has named it stays.
func TestI7_RenewedAfterTheIndexNamedIt(t *testing.T) {
	t.Parallel()
	driver := newIndexed()
	fill(t, driver, 40, 1)
	n := 0
	driver.before = func(key string) {
		var err error
		switch n++; n % 4 {
		case 0:
			err = driver.Update(t.Context(), key, storage.Change{ExpiresAt: time.Now().Add(time.Hour)}, storage.Always())
		case 1:
			err = driver.Put(t.Context(), live(key), storage.Always())
		}
		if err != nil {
			t.Error(err)
		}
	}
	report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{Concurrency: 1}))
	deletes(t, report, gcrunner.Deleted{Expired: 20})
	if left := len(keys(t, driver.Driver)); left != 20 || report.Conflicts != 20 {
		t.Errorf("%d are left, with %d conflicts; 20 were renewed", left, report.Conflicts)
	}
}

// Leases are respected, and those that are over are not.
func TestIndexAndLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := newIndexed()
		put(t, driver, leased("held", -time.Minute, 5*time.Second), leased("abandoned", -time.Minute, 5*time.Second),
			expired("free"))
		renewals := time.NewTicker(time.Second)
		defer renewals.Stop()
		done := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-done:
					return
				case now := <-renewals.C:
					held := storage.Lease{ID: "lease of held", Duration: 5 * time.Second, ExpiresAt: now.Add(5 * time.Second)}
					if err := driver.Update(context.Background(), "held", storage.Change{Lease: &held}, storage.Always()); err != nil {
						t.Error(err)
					}
				}
			}
		}()
		report := run(t, newCollector(t, driver))
		close(done)
		<-ended
		deletes(t, report, gcrunner.Deleted{Expired: 2})
		if !stored(t, driver, "held") || stored(t, driver, "abandoned") || report.Leased != 1 {
			t.Errorf("held is there: %v, abandoned is there: %v: %+v", stored(t, driver, "held"),
				stored(t, driver, "abandoned"), report)
		}
	})
}

func TestSourceIsChosen(t *testing.T) {
	t.Parallel()
	byExpiry, byAge := gcrunner.Rules{Expired: true}, gcrunner.Rules{Expired: true, MaxAge: time.Hour}
	for _, test := range []struct {
		source gcrunner.Source
		driver storage.Driver
		rules  gcrunner.Rules
		want   gcrunner.Source // "" for an error
	}{
		{"", memory.New(), byExpiry, gcrunner.SourceScan},
		{"", newIndexed(), byExpiry, gcrunner.SourceIndex},
		{"", newIndexed(), byAge, gcrunner.SourceScan},
		{gcrunner.SourceScan, newIndexed(), byExpiry, gcrunner.SourceScan},
		{gcrunner.SourceIndex, newIndexed(), byExpiry, gcrunner.SourceIndex},
		{gcrunner.SourceIndex, newIndexed(), byAge, ""},
		{gcrunner.SourceIndex, newIndexed(), gcrunner.Rules{Expired: true, MaxStale: time.Hour}, ""},
		{gcrunner.SourceIndex, memory.New(), byExpiry, ""},
		{"table", memory.New(), byExpiry, ""},
		{"auto", memory.New(), byExpiry, ""},
	} {
		put(t, test.driver, expired("a"))
		collector, err := gcrunner.NewCollector(test.driver, test.rules, gcrunner.CollectorOptions{Source: test.source})
		if err != nil {
			_, hasIndex := test.driver.(*indexed)
			noIndex := test.source == gcrunner.SourceIndex && !hasIndex
			if test.want != "" || errors.Is(err, gcrunner.ErrNoIndex) != noIndex {
				t.Errorf("%q, %+v: %v", test.source, test.rules, err)
			}
			continue
		}
		if report := run(t, collector); report.Source != test.want || report.Total() != 1 {
			t.Errorf("%q, %+v: by %q, %d were deleted; want 1, by %q", test.source, test.rules, report.Source,
				report.Total(), test.want)
		}
	}
}

// A run that stops at a limit is gone on with where it has stopped, and a position is of one source.
func TestIndexResumes(t *testing.T) {
	t.Parallel()
	driver := newIndexed()
	dead := fill(t, driver, 60, 2)
	checkpoint := gcrunner.TableCheckpoint(driver)
	options := gcrunner.CollectorOptions{Checkpoint: checkpoint, PageSize: 4, Concurrency: 1}
	limited := options
	limited.Limits.Items = 10
	first := run(t, newCollector(t, driver, limited))
	if first.Stopped != "items" || first.Total() != 10 || first.Position.IsZero() {
		t.Fatalf("%+v", first)
	}
	text, err := first.Position.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	again, err := parsePosition(string(text))
	if err != nil || again.String() != first.Position.String() {
		t.Errorf("the position %v became %v, %v", first.Position, again, err)
	}
	for name, other := range map[string]gcrunner.CollectorOptions{
		"a scan": {Source: gcrunner.SourceScan, Resume: again}, "an index of other shards": {DryRun: true, Resume: again},
	} {
		var table storage.Driver = driver
		if name != "a scan" {
			table = memory.New(memory.WithExpiryIndex(2))
		}
		report, err := newCollector(t, table, other).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), notAPosition) || report.Total() != 0 {
			t.Errorf("%s goes on at a position of the index: %v, %+v", name, err, report)
		}
	}
	second := run(t, newCollector(t, driver, options))
	if second.Stopped != gcrunner.Completed || first.Total()+second.Total() != dead || second.Scanned > dead-6 {
		t.Errorf("after %d of %d, a second run deleted %d, and looked at %d", first.Total(), dead,
			second.Total(), second.Scanned)
	}
	// A scan begins at the beginning, whatever an index has left in the checkpoint.
	put(t, driver, expired("later"))
	if err := checkpoint.Save(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	options.Source = gcrunner.SourceScan
	scan := run(t, newCollector(t, driver, options))
	deletes(t, scan, gcrunner.Deleted{Expired: 1})
}

// Through an index of DynamoDB, what a run reads depends on what has expired alone.
func TestDynamoDBIndex(t *testing.T) {
	t.Parallel()
	var reads []float64
	for _, sessions := range []int{100, 400} {
		d := newDynamo(t, dynamostore.Table{ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"}})
		for i := range sessions {
			record := live(fmt.Sprintf("%05d", i))
			record.ExpiresAt = time.Now().Add(safetyLife)
			if i < 50 {
				record.ExpiresAt = time.Now().Add(-2 * time.Hour)
			}
			record.Data = make([]byte, 700)
			put(t, d.plain, record)
		}
		put(t, d.plain, session("within the hour", time.Hour, time.Hour, -time.Millisecond))
		report := run(t, newCollector(t, d.driver, gcrunner.CollectorOptions{PageSize: 20}))
		if report.Source != gcrunner.SourceIndex || report.Total() < 50 || report.Total() > 51 ||
			report.Scanned != report.Total() {
			t.Errorf("%+v", report)
		}
		reads = append(reads, report.ReadUnits)
		want := []string{"DeleteItem", "Query"}
		if got := d.recorder.Operations(); !slices.Equal(got, want) {
			t.Errorf("the collector called %v; want %v", got, want)
		}
		// Each session is of one unit, and so is its entry.
		if report.ReadUnits != d.recorder.Units("Query") || report.WriteUnits != d.recorder.Units("DeleteItem") ||
			report.WriteUnits != float64(2*report.Total()) {
			t.Errorf("%v read and %v write units for %d; DynamoDB said %v and %v", report.ReadUnits, report.WriteUnits,
				report.Total(), d.recorder.Units("Query"), d.recorder.Units("DeleteItem"))
		}
		if left := d.items(t); left != sessions+1-report.Total() {
			t.Errorf("%d items are left; want %d", left, sessions+1-report.Total())
		}
	}
	if reads[0] != reads[1] {
		t.Errorf("of 50 expired sessions, reading consumed %v units in a table of 100 sessions, and %v in one of 400",
			reads[0], reads[1])
	}
}

// Two applications that share table and index, each with its prefix, are collected apart.
func TestDynamoDBIndexShared(t *testing.T) {
	t.Parallel()
	ours := newDynamo(t, dynamostore.Table{
		PartitionKey: dynamostore.Key{Name: "pk", Prefix: "A#"},
		ExpiryIndex:  dynamostore.ExpiryIndex{Name: "expiry", Shards: 1},
	})
	theirs := ours.table
	theirs.PartitionKey.Prefix = "B#"
	other, err := dynamostore.NewDriver(ours.client, theirs)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		record := session(fmt.Sprint(i), time.Hour, time.Hour, -2*time.Hour)
		put(t, ours.plain, record)
		put(t, other, record)
	}
	report := run(t, newCollector(t, ours.driver))
	deletes(t, report, gcrunner.Deleted{Expired: 20})
	if left := len(keys(t, other)); left != 20 || report.Scanned != 20 || len(keys(t, ours.plain)) != 0 {
		t.Errorf("%d of 20 sessions of others are left, %d were looked at", left, report.Scanned)
	}
}

// A dry run by an index tells how large the sessions are, of which it knows nothing but the keys.
func TestDynamoDBIndexDryRun(t *testing.T) {
	t.Parallel()
	d := newDynamo(t, dynamostore.Table{ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"}})
	for i := range 60 {
		record := session(fmt.Sprint(i), 5*time.Hour, 5*time.Hour, -2*time.Hour)
		record.Data = make([]byte, 2500)
		put(t, d.plain, record)
	}
	planned := run(t, newCollector(t, d.driver, gcrunner.CollectorOptions{DryRun: true}))
	if calls := d.recorder.Calls(); calls["GetItem"] != 32 || calls["DeleteItem"] != 0 || d.items(t) != 60 {
		t.Errorf("a dry run called %v; it samples 32 sessions", calls)
	}
	done := run(t, newCollector(t, d.driver))
	if planned.Total() != 60 || planned.WriteUnits != done.WriteUnits || planned.Bytes < 60*2500 ||
		planned.Bytes > 60*3072 || done.Bytes != 60*3072 {
		t.Errorf("planned: %d, %v units, %d bytes; done: %d, %v units, %d bytes", planned.Total(),
			planned.WriteUnits, planned.Bytes,
			done.Total(), done.WriteUnits, done.Bytes)
	}
}
