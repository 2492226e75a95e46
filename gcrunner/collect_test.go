package gcrunner_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

func TestRunDeletesExpired(t *testing.T) {
	t.Parallel()
	for _, segments := range []int{0, 1, 7} {
		driver := memory.New()
		dead := fill(t, driver, 300, 3)
		var told []gcrunner.Report
		report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{
			PageSize: 11, Segments: segments, Progress: func(r gcrunner.Report) { told = append(told, r) },
		}))
		deletes(t, report, gcrunner.Deleted{Expired: dead})
		if report.Scanned != 300 || report.Stopped != gcrunner.Completed || !report.Position.IsZero() {
			t.Errorf("in %d segments: %+v", segments, report)
		}
		if left := keys(t, driver); len(left) != 300-dead {
			t.Errorf("in %d segments: %d sessions are left; want %d", segments, len(left), 300-dead)
		}
		if n := len(told); n < 300/11 || told[n-1].Total() != dead || told[n-1].Scanned != 300 ||
			told[0].Total() > 11*max(segments, 1) {
			t.Errorf("in %d segments: progress was told %d times, in the end %+v", segments, n, told[n-1])
		}
	}
}

// Into how many segments a table is divided depends on what is known of it after the first page.
func TestSegments(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sessions  int
		readUnits float64
		segments  int
		budget    float64
		want      int
	}{
		"large":                           {250, 0.1, 0, 0, 4},
		"of one page":                     {90, 0.1, 0, 0, 1},
		"not billed by the unit":          {250, 0, 0, 0, 1},
		"with a budget for one segment":   {250, 0.1, 0, 999, 1},
		"with a budget for several":       {250, 0.1, 0, 1000, 4},
		"as it was said":                  {250, 0, 3, 0, 3},
		"as it was said, with one budget": {250, 0.1, 3, 999, 3},
	} {
		driver := newBetween()
		driver.readUnits = test.readUnits
		dead := fill(t, driver, test.sessions, 5)
		report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{
			Segments: test.segments, Budget: gcrunner.Budget{ReadUnits: test.budget},
		}))
		if max(driver.segments, 1) != test.want || report.Total() != dead || report.Scanned != test.sessions {
			t.Errorf("%s: %d segments; want %d: %+v", name, driver.segments, test.want, report)
		}
	}
}

// huge is a table of so many live sessions of 1 KB, of which there is nothing but their number.
type huge struct {
	*memory.Driver
	sessions, probes int
}

func (d *huge) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	switch {
	case request.Limit == 0:
		request.Limit = 1024 // as the service ends a page
	case request.Limit <= 100:
		d.probes++
	}
	begin, _ := strconv.Atoi(string(request.Start))
	n := min(request.Limit, d.sessions/max(request.Segments, 1)-begin)
	page := storage.Page{Records: slices.Repeat([]storage.Record{live("a")}, n)}
	if n == request.Limit {
		page.Next = storage.Position(strconv.Itoa(begin + n))
	}
	storage.MeterFrom(ctx).Add(storage.Usage{ReadUnits: float64(n) / 8})
	return page, nil
}

// A large table has a segment for every 2 GB, as far as some pages tell, and the run says what reading all of it will
// consume.
func TestSegmentsOfALargeTable(t *testing.T) {
	t.Parallel()
	for gigabytes, want := range map[int]int{1: 4, 8: 4, 40: 20, 100: 50, 2000: 256} {
		driver := &huge{Driver: memory.New(), sessions: gigabytes << 20}
		ctx, cancel := context.WithCancel(t.Context())
		collector := newCollector(t, driver, gcrunner.CollectorOptions{
			Concurrency: 1, StopTimeout: -1,
			Progress: func(gcrunner.Report) { cancel() },
		})
		report, err := collector.Run(ctx)
		var segments int
		if _, scanErr := fmt.Sscanf(report.Position.String(), "within %d segments", &segments); scanErr != nil ||
			!errors.Is(err, context.Canceled) {
			t.Fatalf("%v: %v, %v", report.Position, err, scanErr)
		}
		expected := report.ExpectedReadUnits * 8192 / (1 << 30)
		if math.Abs(float64(segments-want)) > float64(want)/5 ||
			math.Abs(expected-float64(gigabytes)) > float64(gigabytes)/5 && gigabytes < 1000 {
			t.Errorf("%v GB were taken for %.1f, and divided into %d segments; want %d", gigabytes, expected, segments, want)
		}
		if driver.probes > 1+5+8 {
			t.Errorf("%d small pages were read to find that out", driver.probes)
		}
	}
}

// TestI7_WhatChangedIsLeftAlone changes each session after the collector has read it, and before it deletes.
func TestI7_WhatChangedIsLeftAlone(t *testing.T) {
	t.Parallel()
	everything := gcrunner.Rules{Expired: true, MaxAge: time.Hour, MaxStale: time.Hour}
	old := func(left time.Duration) storage.Record { return session("a", 2*time.Hour, 2*time.Hour, left) }
	for name, test := range map[string]struct {
		record storage.Record
		change func(ctx context.Context, d storage.Driver, r storage.Record) error
	}{
		"committed": {old(-time.Minute), func(ctx context.Context, d storage.Driver, r storage.Record) error {
			r.Version, r.ExpiresAt = storage.NewVersion(), time.Now().Add(time.Hour)
			return d.Put(ctx, r, storage.Always())
		}},
		"committed, with an expiry that has passed": {
			old(-time.Minute),
			func(ctx context.Context, d storage.Driver, r storage.Record) error {
				r.Version = storage.NewVersion()
				return d.Put(ctx, r, storage.Always())
			},
		},
		"extended": {old(-time.Minute), func(ctx context.Context, d storage.Driver, r storage.Record) error {
			return d.Update(ctx, r.Key, storage.Change{ExpiresAt: time.Now().Add(time.Hour)}, storage.Always())
		}},
		"used, and to end earlier": {old(time.Hour), func(ctx context.Context, d storage.Driver, r storage.Record) error {
			return d.Update(ctx, r.Key, storage.Change{ExpiresAt: time.Now().Add(time.Minute), UpdatedAt: time.Now()},
				storage.Always())
		}},
		"leased": {old(time.Hour), func(ctx context.Context, d storage.Driver, r storage.Record) error {
			lease := storage.Lease{ID: storage.NewVersion(), Duration: time.Second, ExpiresAt: time.Now().Add(time.Second)}
			return d.Update(ctx, r.Key, storage.Change{Lease: &lease}, storage.Always())
		}},
	} {
		driver := newBetween()
		put(t, driver, test.record)
		driver.before = func(operation, key string) error {
			if operation == "Delete" {
				return test.change(context.Background(), driver.Driver, test.record)
			}
			return nil
		}
		report := run(t, newCollectorBy(t, driver, everything))
		deletes(t, report, gcrunner.Deleted{})
		if report.Conflicts != 1 || report.Leased != 0 || report.Scanned != 1 || report.Stopped != gcrunner.Completed {
			t.Errorf("%s: %+v", name, report)
		}
		if !stored(t, driver, "a") {
			t.Errorf("a session that was %s is gone", name)
		}
	}
}

func leased(key string, left, lease time.Duration) storage.Record {
	r := session(key, time.Hour, time.Hour, left)
	r.Lease = storage.Lease{ID: storage.NewVersion(), Duration: lease, ExpiresAt: time.Now().Add(lease)}
	return r
}

// A lease is over once the collector has seen it unchanged for longer than it lasts, whatever it says of its end.
func TestRunRespectsLiveLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		alive, slow, dead, ahead := leased("alive", -time.Minute, 5*time.Second),
			leased("slow clock", -time.Minute, 5*time.Second),
			leased("dead", -time.Minute, 5*time.Second), leased("dead, fast clock", time.Hour, 5*time.Second)
		slow.Lease.ExpiresAt = time.Now().Add(-time.Hour)
		ahead.Lease.ExpiresAt = time.Now().Add(time.Hour)
		put(t, driver, alive, slow, dead, ahead, expired("free"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		const third = 5 * time.Second / 3
		go func() { // the holders of two of them renew, as Lease does
			for n := 1; ; n++ {
				select {
				case <-time.After(third):
				case <-ctx.Done():
					return
				}
				for _, r := range []storage.Record{alive, slow} {
					lease := r.Lease
					lease.ExpiresAt = r.Lease.ExpiresAt.Add(time.Duration(n) * third)
					_ = driver.Update(ctx, r.Key, storage.Change{Lease: &lease}, storage.IfLease(lease.ID))
				}
			}
		}()
		began := time.Now()
		report := run(t, newCollectorBy(t, driver, gcrunner.Rules{Expired: true, MaxStale: time.Minute}))
		deletes(t, report, gcrunner.Deleted{Expired: 2, MaxStale: 1})
		if report.Leased != 2 || report.Conflicts != 0 || !stored(t, driver, "alive") || !stored(t, driver, "slow clock") {
			t.Errorf("live leases were not respected: %+v", report)
		}
		if took := time.Since(began); took != 5500*time.Millisecond {
			t.Errorf("the run took %v; want the lease and a tenth", took)
		}
	})
}

// A lease that lasts longer than a run waits is left to later runs, which know since when it was seen.
func TestRunRemembersLongLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		put(t, driver, leased("long", -time.Minute, 10*time.Minute))
		collector := newCollector(t, driver)
		for range 10 {
			if report := run(t, collector); report.Total() != 0 || report.Leased != 1 {
				t.Fatalf("before the lease is over: %+v", report)
			}
			<-time.After(time.Minute)
		}
		began := time.Now() // ten minutes after it was seen first
		report := run(t, collector)
		deletes(t, report, gcrunner.Deleted{Expired: 1})
		if took := time.Since(began); took != time.Minute {
			t.Errorf("the last run took %v; want a minute, a tenth of the lease", took)
		}
	})
}

// With the strategy itself: a request that has the session, and one whose process has died.
func TestRunAmongRequestsWithLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		put(t, driver, session("held", 2*time.Hour, 2*time.Hour, time.Hour),
			session("dead", 2*time.Hour, 2*time.Hour, time.Hour))
		acquire := func(key string, options lockstrategy.LeaseOptions) lockstrategy.Session {
			backend := &lockstrategy.Backend{Driver: driver, Now: time.Now}
			s, err := lockstrategy.Lease(options).Load(t.Context(), &lockstrategy.Request{Backend: backend, Lock: true}, key)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		held := acquire("held", lockstrategy.LeaseOptions{})
		acquire("dead", lockstrategy.LeaseOptions{Renewal: -1})
		report := run(t, newCollectorBy(t, driver, gcrunner.Rules{MaxStale: time.Hour}))
		deletes(t, report, gcrunner.Deleted{MaxStale: 1})
		if report.Leased != 1 || !stored(t, driver, "held") {
			t.Errorf("the session of a request that is running is gone: %+v", report)
		}
		if err := held.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestDryRunDeletesNothing(t *testing.T) {
	t.Parallel()
	driver := newBetween()
	driver.readUnits = 0.25 // 2 KB each
	dead := fill(t, driver, 200, 4)
	put(t, driver, leased("leased", -time.Minute, time.Hour))
	report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{DryRun: true, PageSize: 10}))
	deletes(t, report, gcrunner.Deleted{Expired: dead})
	if !report.DryRun || report.Leased != 1 || report.Scanned != 201 || driver.called("Delete") > 0 ||
		len(keys(t, driver)) != 201 {
		t.Errorf("%d deletes, %+v", driver.called("Delete"), report)
	}
	if report.Bytes != int64(dead)*2048 || report.WriteUnits != float64(dead)*2 {
		t.Errorf("estimates of %d bytes and %v write units; want %d and %d", report.Bytes, report.WriteUnits,
			dead*2048, dead*2)
	}
}

// A failure that nobody knows what it means ends the run, and nothing is deleted in doubt.
func TestRunFails(t *testing.T) {
	t.Parallel()
	errRights := errors.New("not allowed any more")
	for _, operation := range []string{"Scan", "Delete"} {
		driver := newBetween()
		fill(t, driver, 400, 2)
		done := 0
		driver.before = func(op, _ string) error {
			if op == operation {
				if done++; done > 3 {
					return fmt.Errorf("driver: %w", errRights)
				}
			}
			return nil
		}
		collector := newCollector(t, driver, gcrunner.CollectorOptions{PageSize: 20, Concurrency: 1})
		report, err := collector.Run(t.Context())
		if !errors.Is(err, errRights) || report.Stopped != "failed" || report.Position.IsZero() {
			t.Errorf("%s fails: %v, %+v", operation, err, report)
		}
		if left := len(keys(t, driver.Driver)); left != 400-report.Total() || driver.called(operation) != 4 {
			t.Errorf("%s fails: %d are left, %d were deleted, %d calls", operation, left, report.Total(),
				driver.called(operation))
		}
		driver.before = nil
		report = run(t, collector)
		if left := len(keys(t, driver)); left != 200 || report.Stopped != gcrunner.Completed {
			t.Errorf("%s fails: after the next run %d are left, %+v", operation, left, report)
		}
	}
}

// Where a delete fails, those that are on their way are counted: the report says what was deleted.
func TestFailureCountsWhatIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := &slowly{Driver: memory.New(), operation: "Delete", takes: time.Second}
		dead := fill(t, driver, 100, 1)
		failing := &failingOnce{slowly: driver}
		report, err := newCollector(t, failing, gcrunner.CollectorOptions{Concurrency: 8}).Run(t.Context())
		if !errors.Is(err, errBroken) || report.Stopped != "failed" {
			t.Errorf("%v, %+v", err, report)
		}
		if left := len(keys(t, driver.Driver)); report.Total() == 0 || dead-report.Total() != left {
			t.Errorf("%d of %d are left; the report says that %d were deleted", left, dead, report.Total())
		}
	})
}

// failingOnce is a driver of which a delete fails while others are under way.
type failingOnce struct {
	*slowly
	deletes atomic.Int32
}

func (d *failingOnce) Delete(ctx context.Context, key string, condition storage.Condition) error {
	if d.deletes.Add(1) == 5 {
		return errBroken
	}
	return d.slowly.Delete(ctx, key, condition)
}

// What passes is tried again.
func TestRunGoesOnAfterFailuresThatPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		dead := fill(t, driver, 30, 3)
		failures := map[string]int{}
		driver.before = func(operation, key string) error {
			if failures[operation+key]++; failures[operation+key]%3 != 0 {
				return []error{storage.ErrUnavailable, storage.ErrOutcomeUnknown}[len(failures)%2]
			}
			return nil
		}
		report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{Concurrency: 1, PageSize: 5}))
		deletes(t, report, gcrunner.Deleted{Expired: dead})
		driver.before = func(string, string) error { return storage.ErrUnavailable }
		report, err := newCollector(t, driver).Run(t.Context())
		if !errors.Is(err, storage.ErrUnavailable) || report.Stopped != "failed" {
			t.Errorf("the service stays away: %v, %+v", err, report)
		}
	})
}

// Records that are no sessions are neither counted nor deleted.
func TestRunLeavesReservedRecords(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	put(t, driver, expired(storage.ReservedPrefix+"something"), expired("a"))
	report := run(t, newCollector(t, driver))
	deletes(t, report, gcrunner.Deleted{Expired: 1})
	if report.Scanned != 1 || !stored(t, driver, storage.ReservedPrefix+"something") {
		t.Errorf("%+v", report)
	}
}

// The rosters of owners are collected when nobody needs them any more, and not by the age of sessions.
func TestRunCollectsRosters(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	live := expired("scsdynamo:owner:user:alice")
	live.ExpiresAt = time.Now().Add(time.Hour)
	put(t, driver, live, expired("scsdynamo:owner:user:bob"))
	collector, err := gcrunner.NewCollector(driver, gcrunner.Rules{Expired: true, MaxAge: 1, MaxStale: 1},
		gcrunner.CollectorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	deletes(t, run(t, collector), gcrunner.Deleted{Expired: 1})
	if !stored(t, driver, live.Key) || stored(t, driver, "scsdynamo:owner:user:bob") {
		t.Error("another roster is collected than the expired one")
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	rules := gcrunner.Rules{Expired: true}
	_, err := gcrunner.NewCollector(driver, rules,
		gcrunner.CollectorOptions{
			Budget: gcrunner.Budget{ReadUnits: math.NaN(), WriteUnits: -1}, Concurrency: -1, Segments: storage.MaxSegments + 1,
			PageSize: defaults.PageSize + 1, Limits: gcrunner.Limits{Items: -1, Units: math.Inf(1), Duration: -1}, Source: "all",
		})
	for _, says := range []string{
		"Budget.ReadUnits: NaN", "Budget.WriteUnits: -1", "Concurrency: -1", "Segments: 1000001", "PageSize: 4001",
		"Limits.Items: -1",
		"Limits.Units: +Inf", "Limits.Duration: -1ns", `Source: "all"`,
	} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("the error does not say %q: %v", says, err)
		}
	}
	if _, err := gcrunner.NewCollector(nil, rules, gcrunner.CollectorOptions{}); err == nil {
		t.Error("no driver is accepted")
	}
	if _, err := gcrunner.NewCollector(driver, rules,
		gcrunner.CollectorOptions{Budget: gcrunner.Budget{ReadUnits: 1}}); err != nil {
		t.Error(err)
	}
}

func TestRunOnceAtATime(t *testing.T) {
	t.Parallel()
	driver := newBetween()
	put(t, driver, expired("a"))
	collector := newCollector(t, driver)
	var second error
	driver.before = func(operation, _ string) error {
		if operation == "Delete" {
			_, second = collector.Run(context.Background())
		}
		return nil
	}
	run(t, collector)
	if !errors.Is(second, gcrunner.ErrRunning) {
		t.Errorf("a second run beside the first: %v", second)
	}
	run(t, collector)
}
