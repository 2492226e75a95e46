package collectbench_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/markdown"
)

// heapLimit is what gcrunner promises for the largest pages. It is asserted at full size, where what grows with the
// number of sessions would exceed it.
const heapLimit = 48 << 20

// heapPlace is where sessions are while a collector's memory is measured.
type heapPlace struct {
	name     string
	variable string // the environment's name for how many sessions there are
	full     int    // how many make the limit an assertion
	open     func(t testing.TB, p population) (driver storage.Driver, segments int)
}

var heapPlaces = []heapPlace{
	{"bolt", "COLLECTBENCH_BOLT_SESSIONS", 1_000_000, openBolt},
	{"dynamodb", "COLLECTBENCH_HEAP_SESSIONS", 300_000, openDynamoDB},
}

func openBolt(t testing.TB, p population) (storage.Driver, int) {
	t.Helper()
	// Without the grace, the driver itself would remove what has expired while it is filled.
	driver, err := boltstore.OpenDriver(filepath.Join(t.TempDir(), "sessions.db"), boltstore.WithGrace(1000*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := driver.Close(); err != nil {
			t.Error(err)
		}
	})
	p.put(t, driver, 512) // two transactions of the most writes that one holds
	return driver, 0
}

func openDynamoDB(t testing.TB, p population) (storage.Driver, int) {
	t.Helper()
	place := fill(t, dynamostore.Table{}, p)
	driver, err := dynamostore.NewDriver(dynamotest.Client(t), place.table)
	if err != nil {
		t.Fatal(err)
	}
	return driver, place.undivided()
}

// heapRuns are what a collector does on the same sessions, one after the other: the first takes a half of what has
// expired, and leaves the other one to the last.
var heapRuns = []struct {
	name    string
	rules   gcrunner.Rules
	options gcrunner.CollectorOptions
	// dry runs delete nothing, and divide the table on all engines.
	dry bool
}{
	{
		"pages of 1000",
		gcrunner.Rules{Expired: true, Grace: 12 * time.Hour},
		gcrunner.CollectorOptions{PageSize: 1000},
		false,
	},
	{
		"largest pages, dry run",
		gcrunner.Rules{Expired: true},
		gcrunner.CollectorOptions{PageSize: defaults.PageSize, DryRun: true},
		true,
	},
	{"largest pages", gcrunner.Rules{Expired: true}, gcrunner.CollectorOptions{PageSize: defaults.PageSize}, false},
}

// heap is what the live and the not yet collected objects take.
type heap struct{ before, peak uint64 }

// measureHeap runs fn, and looks at the heap every few milliseconds.
func measureHeap(fn func()) heap {
	runtime.GC()
	runtime.GC() // what the first one has left to finalizers
	h := heap{before: heapNow()}
	h.peak = h.before
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				h.peak = max(h.peak, heapNow())
			case <-done:
				return
			}
		}
	}()
	fn()
	close(done)
	<-stopped
	return h
}

func heapNow() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// TestHeap does not run beside others, whose memory would be counted.
func TestHeap(t *testing.T) { //nolint:paralleltest // See above.
	for _, place := range heapPlaces {
		t.Run(place.name, func(t *testing.T) { collectInHeap(t, place, func(string, gcrunner.Report, heap) {}) })
	}
}

// collectInHeap makes the runs and shows each. It fails the test where one takes too much memory, or does not delete
// exactly what it has to.
func collectInHeap(t testing.TB, place heapPlace, show func(run string, report gcrunner.Report, h heap)) {
	t.Helper()
	p := population{size(t, place.variable, 2_000), 5, smallBytes}
	driver, segments := place.open(t, p)
	dead, live := p.count()
	for _, run := range heapRuns {
		options := run.options
		if !run.dry {
			options.Segments = segments
		}
		collector, err := gcrunner.NewCollector(driver, run.rules, options)
		if err != nil {
			t.Fatal(err)
		}
		var report gcrunner.Report
		h := measureHeap(func() { report, err = collector.Run(t.Context()) })
		if err != nil || report.Stopped != gcrunner.Completed || report.Total() != dead/2 {
			t.Fatalf("%s: %d sessions were deleted: %+v, %v; want %d", run.name, report.Total(), report, err, dead/2)
		}
		if p.sessions >= place.full && h.peak > heapLimit {
			t.Errorf("%s: a heap of %d bytes; at most %d are allowed", run.name, h.peak, heapLimit)
		}
		show(run.name, report, h)
	}
	left, err := remaining(t.Context(), driver)
	if want := (tally{live: live}); err != nil || left != want {
		t.Errorf("%+v is left: %v; want %+v", left, err, want)
	}
}

// remaining counts what a driver has.
func remaining(ctx context.Context, driver storage.Driver) (tally, error) {
	var c tally
	for request := (storage.ScanRequest{WithoutData: true}); ; {
		page, err := driver.Scan(ctx, request)
		if err != nil {
			return c, err
		}
		for _, record := range page.Records {
			c.add(record.Key)
		}
		if request.Start = page.Next; page.Next == "" {
			return c, nil
		}
	}
}

// BenchmarkHeap shows the heap of the process while it collects.
func BenchmarkHeap(b *testing.B) {
	for _, place := range heapPlaces {
		b.Run(place.name, func(b *testing.B) {
			name := place.name
			if name == "dynamodb" {
				name = dynamotest.EngineName(b)
			}
			table := markdown.NewTable("engine  ", "run                   ", "sessions", "collected", "heap before, MiB",
				"peak, MiB", "time   ")
			for b.Loop() {
				table.Clear()
				collectInHeap(b, place, func(run string, report gcrunner.Report, h heap) {
					table.Add(name, run, report.Scanned, report.Total(), mib(h.before), mib(h.peak),
						report.Duration.Round(10*time.Millisecond))
				})
			}
			fmt.Print(table)
		})
	}
}

func mib(bytes uint64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }
