package gcrunner_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

func newRunner(t testing.TB, collector *gcrunner.Collector, schedule gcrunner.Schedule) *gcrunner.Runner {
	t.Helper()
	runner, err := gcrunner.NewRunner(collector, schedule)
	if err != nil {
		t.Fatal(err)
	}
	return runner
}

// goRun runs the runner in the background. What it returns ends it, and waits for that.
func goRun(t testing.TB, runner *gcrunner.Runner) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
	}
}

var errBroken = errors.New("broken on purpose")

func TestNewRunnerReportsAllThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := gcrunner.NewRunner(nil, gcrunner.Schedule{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"the collector is nil", "neither Interval"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if _, err := gcrunner.NewRunner(nil, gcrunner.Schedule{Interval: time.Hour}); err == nil {
		t.Error("a runner without a collector")
	}
}

// The error of a run never ends the loop. Runs are repeated, ever more slowly, and are on schedule again after one that
// succeeds.
func TestRunnerGoesOnAfterErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		var broken atomic.Bool
		broken.Store(true)
		var times []time.Time
		driver.before = func(operation, _ string) error {
			if operation != "Scan" {
				return nil
			}
			times = append(times, time.Now())
			if broken.Load() {
				return errBroken
			}
			return nil
		}
		var log bytes.Buffer
		start := time.Now()
		runner := newRunner(t, newCollector(t, driver,
			gcrunner.CollectorOptions{Logger: slog.New(slog.NewJSONHandler(&log, nil))}),
			gcrunner.Schedule{Interval: time.Hour})
		defer goRun(t, runner)()

		time.Sleep(50 * time.Minute)
		synctest.Wait()
		tries := len(times)
		if tries < 15 || tries > 40 {
			t.Errorf("%d tries in 50 minutes; want pauses from a second to five minutes", tries)
		}
		if last := times[tries-1].Sub(times[tries-2]); last < 150*time.Second || last > 5*time.Minute {
			t.Errorf("the last pause was %v; want about five minutes", last)
		}
		status := runner.Status()
		if status.Failures != tries || !errors.Is(status.Err, errBroken) || !status.LastSuccess.IsZero() ||
			status.Runs["failed"] != tries {
			t.Errorf("after %d failures the status is %+v", tries, status)
		}
		if !strings.Contains(log.String(), `"level":"ERROR"`) || !strings.Contains(log.String(), errBroken.Error()) {
			t.Errorf("the log says nothing of it: %s", log.String())
		}

		broken.Store(false)
		put(t, driver, expired("one"))
		time.Sleep(time.Until(start.Add(90 * time.Minute)))
		synctest.Wait()
		status = runner.Status()
		if stored(t, driver, "one") || status.Failures != 0 || status.Err != nil || status.LastSuccess.IsZero() {
			t.Errorf("after a success the status is %+v", status)
		}
		if want := start.Add(2 * time.Hour); !status.Next.Equal(want) {
			t.Errorf("the next run is at %v; want %v", status.Next, want)
		}

		broken.Store(true)
		time.Sleep(time.Until(status.Next.Add(time.Second)))
		synctest.Wait()
		if again := times[len(times)-1]; again.Sub(status.Next) > time.Second || len(times) < 3 ||
			!times[len(times)-2].Equal(status.Next) {
			t.Errorf("after a success, the first failure is followed by an attempt at %v; it was at %v", again, status.Next)
		}
	})
}

// Two replicas: one collects, the other is ready and waits, and that costs little. When the first is gone without a
// word, the other one goes on within its lease and an interval, whenever that is.
func TestRunnerFollowsADeadOne(t *testing.T) {
	t.Parallel()
	const lease = 15 * time.Second
	for _, interval := range []time.Duration{time.Second, 10 * time.Second, time.Minute} {
		for range 5 { // at other moments
			synctest.Test(t, func(t *testing.T) { followADeadOne(t, lease, interval) })
		}
	}
}

func followADeadOne(t *testing.T, lease, interval time.Duration) {
	t.Helper()
	shared := newBetween()
	first, second := newReplica(t, shared, lease, interval), newReplica(t, shared, lease, interval)
	endFirst := goRun(t, first.runner)
	synctest.Wait()
	endSecond := goRun(t, second.runner)
	const standing = 10 * time.Minute
	time.Sleep(standing + rand.N(interval+lease))
	synctest.Wait()
	if s := first.runner.Status(); !s.Elected || len(s.Last) < min(9, int(standing/interval)) {
		t.Fatalf("the first is %s, elected: %v, with %d runs", s.Phase, s.Elected, len(s.Last))
	}
	s := second.runner.Status()
	if s.Elected || s.Phase != "standby" || len(s.Last) != 0 || !s.Next.IsZero() {
		t.Fatalf("the second is %s, elected: %v, with %d runs", s.Phase, s.Elected, len(s.Last))
	}
	if err := second.runner.Ready(t.Context()); err != nil {
		t.Errorf("it is not ready: %v", err)
	}
	// A look in half a tenth of the lease, a few more when it begins to wait, and a refused write each time.
	calls := int(second.calls.Load())
	if most := int(standing/(lease/20)) * 3 / 2; calls > most || calls == 0 {
		t.Errorf("to stand by for %v took %d calls; want at most %d", standing, calls, most)
	}

	first.dead.Store(true)
	died := time.Now()
	put(t, shared, expired("one"))
	for stored(t, shared, "one") {
		time.Sleep(10 * time.Millisecond)
		if first.runner.Status().Elected && second.runner.Status().Elected {
			t.Fatalf("both are elected %v after the first died", time.Since(died))
		}
		if time.Since(died) > lease+interval {
			t.Fatalf("nobody collects %v after the elected one died; the lease is %v, the interval %v", time.Since(died),
				lease, interval)
		}
	}
	time.Sleep(2 * time.Minute)
	if s := first.runner.Status(); s.Elected {
		t.Error("the first still believes that it is elected")
	}
	endFirst()
	endSecond()
}

// replica is a process of several.
type replica struct {
	*between
	runner *gcrunner.Runner
	dead   atomic.Bool // no call of it arrives any more
	calls  atomic.Int64
}

func newReplica(t testing.TB, shared *between, lease, interval time.Duration) *replica {
	t.Helper()
	r := &replica{between: shared}
	election, err := gcrunner.NewElection(r, lease)
	if err != nil {
		t.Fatal(err)
	}
	r.runner = newRunner(t, newCollector(t, r, gcrunner.CollectorOptions{Election: election}),
		gcrunner.Schedule{Interval: interval, Jitter: interval / 10})
	return r
}

func (r *replica) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	if r.dead.Load() {
		return storage.Page{}, storage.ErrUnavailable
	}
	return r.between.Scan(ctx, request)
}

func (r *replica) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	r.calls.Add(1)
	if r.dead.Load() {
		return storage.Record{}, false, storage.ErrUnavailable
	}
	return r.between.Get(ctx, key, c)
}

func (r *replica) Update(ctx context.Context, key string, change storage.Change, condition storage.Condition) error {
	if r.dead.Load() {
		return storage.ErrUnavailable
	}
	return r.between.Update(ctx, key, change, condition)
}

func (r *replica) Acquire(
	ctx context.Context, key string, lease storage.Lease, condition storage.Condition,
) (storage.Record, error) {
	r.calls.Add(1)
	if r.dead.Load() {
		return storage.Record{}, storage.ErrUnavailable
	}
	return r.between.Acquire(ctx, key, lease, condition)
}

// One that ends in order is followed at once: it gives the election back.
func TestRunnerGivesTheElectionBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newBetween()
		first := newReplica(t, shared, time.Hour, time.Hour)
		endFirst := goRun(t, first.runner)
		synctest.Wait()
		endFirst()
		second := newReplica(t, shared, time.Hour, time.Hour)
		defer goRun(t, second.runner)()
		synctest.Wait()
		if s := second.runner.Status(); !s.Elected {
			t.Errorf("the second is %s", s.Phase)
		}
	})
}

// Who is elected anew goes on at once with what another process has begun, also where a cron expression says later.
func TestRunnerGoesOnWithAnUnfinishedRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		fill(t, driver, 100, 1)
		limited := newCollector(t, driver, gcrunner.CollectorOptions{
			Checkpoint: gcrunner.TableCheckpoint(driver),
			PageSize:   10, Limits: gcrunner.Limits{Items: 50},
		})
		if report := run(t, limited); report.Stopped != "items" {
			t.Fatalf("the first run ended with %q", report.Stopped)
		}
		collector := newCollector(t, driver, gcrunner.CollectorOptions{Checkpoint: gcrunner.TableCheckpoint(driver)})
		defer goRun(t, newRunner(t, collector, gcrunner.Schedule{Cron: "17 3 * * *"}))()
		synctest.Wait()
		for key := range keys(t, driver) {
			if !storage.Reserved(key) {
				t.Fatal("something is left")
			}
		}
	})
}

// A runner can be run once.
func TestRunnerRunsOnce(t *testing.T) {
	t.Parallel()
	runner := newRunner(t, newCollector(t, memory.New()), gcrunner.Schedule{Interval: time.Hour})
	goRun(t, runner)()
	if err := runner.Run(t.Context()); !errors.Is(err, gcrunner.ErrRunning) {
		t.Errorf("the second time: %v", err)
	}
}

// Totals only grow, and have what the present run has done so far.
func TestRunnerTotals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		driver.readUnits, driver.writeUnits = 0.5, 2
		fill(t, driver, 300, 3)
		driver.before = func(string, string) error {
			time.Sleep(time.Second)
			return nil
		}
		runner := newRunner(t, newCollector(t, driver, gcrunner.CollectorOptions{PageSize: 10, Segments: 1}),
			gcrunner.Schedule{Interval: time.Hour})
		defer goRun(t, runner)()
		scanned, sawRunning := 0, false
		for range 300 {
			time.Sleep(time.Second)
			s := runner.Status()
			if s.Totals.Scanned < scanned {
				t.Fatalf("scanned fell from %d to %d", scanned, s.Totals.Scanned)
			}
			scanned = s.Totals.Scanned
			if s.Current != nil && scanned < s.Current.Scanned {
				t.Fatalf("a total of %d scanned, and %d by the present run", scanned, s.Current.Scanned)
			}
			sawRunning = sawRunning || s.Phase == "running" && s.Current != nil && s.Current.Scanned > 0
		}
		totals, runs := runner.Status().Totals, runner.Status().Runs
		if !sawRunning || totals.Scanned != 300 || totals.Deleted.Expired != 100 ||
			totals.ReadUnits != 150 || totals.WriteUnits != 200 || runs[gcrunner.Completed] != 1 {
			t.Errorf("seen while running: %v; totals: %+v", sawRunning, totals)
		}
	})
}

// A dry run deletes nothing, and no total says that it did.
func TestRunnerDryRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		fill(t, driver, 30, 3)
		runner := newRunner(t, newCollector(t, driver, gcrunner.CollectorOptions{DryRun: true}),
			gcrunner.Schedule{Interval: 10 * time.Minute})
		defer goRun(t, runner)()
		time.Sleep(15 * time.Minute)
		s := runner.Status()
		if len(s.Last) != 2 || s.Last[1].Deleted.Expired != 10 ||
			s.Totals.Deleted.Expired != 0 || s.Totals.Scanned != 60 || !s.DryRun {
			t.Errorf("%+v", s)
		}
		if n := len(keys(t, driver)); n != 30 {
			t.Errorf("%d records are left of 30", n)
		}
	})
}

// Reports hold positions, and positions hold keys, which may be tokens: neither log nor status has them.
func TestRunnerTellsNoKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		fill(t, driver, 100, 1)
		var log bytes.Buffer
		told := 0
		collector := newCollector(t, driver, gcrunner.CollectorOptions{
			PageSize: 10, Limits: gcrunner.Limits{Items: 50},
			Progress: func(gcrunner.Report) { told++ }, Logger: slog.New(slog.NewJSONHandler(&log, nil)),
		})
		runner := newRunner(t, collector, gcrunner.Schedule{Interval: time.Hour})
		defer goRun(t, runner)()
		synctest.Wait()
		if strings.Contains(log.String(), "dead-") || !strings.Contains(log.String(), `"stopped":"items"`) {
			t.Errorf("the log: %s", log.String())
		}
		if last := runner.Status().Last; len(last) != 1 || !last[0].Position.IsZero() {
			t.Errorf("the status: %+v", last)
		}
		if told == 0 {
			t.Error("the progress function of the collector is not called any more")
		}
	})
}
